"""What a video's pictures tell of time: scene cuts and optical flow."""
