"""From a file to upright RGB frames, each with its exact index and time.

reader          `read_frames`, for inputs of every kind
image_reader    photos, folders of photos, animated images
_decoder        intact frames of a video, decoded on several threads while nothing is wrong
_decoder_options, _frame_times, _deinterlacer

Imports, of video, `info`, `color`, `orientation`, `large_arrays`, `demuxing` and `damage`.
"""
