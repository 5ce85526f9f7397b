"""Damage that ffmpeg would hide: lost frames, truncated files, broken checksums."""
