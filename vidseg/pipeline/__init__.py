"""The stages joined: read, detect, track, draw and write in one pass over a video."""
