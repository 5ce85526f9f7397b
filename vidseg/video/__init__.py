"""Video in and out, over exact frames. moviepy and PyAV are imported in this room only.

info, orientation, codecs, tone_mapping, color, large_arrays, pyav_versions   values and helpers
analysis/     scene cuts and optical flow
demuxing/     packets and the times of frames
damage/       what is lost or corrupted
decoding/     frames of any input
encoding/     frames to any output
live/         frames of what has not ended yet, and where they are shown meanwhile
probe         facts about an input
moviepy_clip  a moviepy clip over exact frames

Of vidseg it imports `errors`, `concurrency`, `cpu_budget`, `remote`, `atomic_output` and
`structures`. Its parts are ordered; the order stands in `tests/test_layers.py`.
"""
