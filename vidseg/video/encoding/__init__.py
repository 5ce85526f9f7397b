"""Writes frames to videos, GIFs and photos, and carries over everything else of the source.

- `writer`: `open_writer`, the one entry, and the writer of videos
- `_encoder`, `_hardware_encoders`, `_gif`: frames to packets
- `_image_writer`, `_photo_source`: photos and folders of photos, their transparency and EXIF
- `_stream_copier`, `_stream_choice`, `_output_streams`: audio, subtitles and attachments
- `_metadata`, `_timecode`: tags, chapters and timecodes

Imports the other rooms of `video`, but for `damage` and `analysis`, and what stands above `video`.
"""
