"""Writes frames to videos, GIFs and photos, and carries over everything else of the source.

- `writer`: `open_writer`, the one entry, and the writer of videos
- `_encoder`, `_hardware_encoders`, `_gif`: frames to packets
- `_image_writer`: photos and folders of photos
- `_stream_copier`, `_output_streams`: audio, subtitles, attachments, chapters and metadata

Imports `video.codecs`, `video.color`, `video.demuxing` and the rooms above `video`.
"""
