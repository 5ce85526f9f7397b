"""From a file to packets and the times of its frames, without decoding any of them.

container         opens a file safely and chooses the video stream
packets           filters and judges packets
timeline          when every frame is shown: by MP4's index or the headers of Matroska's blocks
                  (_mp4_index, _matroska_index), of other files by one pass over their packets
picture_counts    how many frames a packet begins: fields, hidden and empty pictures
frame_rate        the exact rate of a timeline
timestamp_resets  files that were joined byte by byte
avi, mp4_boxes, ebml, file_bytes    what is known about single containers

Imports only `vidseg.errors` and, of video, `info` and `pyav_versions`.
"""
