"""From a file to packets and the times of its frames, without decoding any of them.

container         opens a file safely and chooses the video stream
packets           filters and judges packets
timeline          when every frame is shown: from MP4's index, or by one pass over the packets
picture_counts    how many frames a packet begins: fields, hidden and empty pictures
frame_rate        the exact rate of a timeline
timestamp_resets  files that were joined byte by byte
avi               AVI's missing timestamps

Imports only `vidseg.errors` and `vidseg.video.info`.
"""
