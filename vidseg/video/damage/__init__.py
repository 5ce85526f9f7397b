"""Damage that ffmpeg would hide: lost frames, truncated files, wrong checksums.

This is the only door: `find_damage` is for `probe`, the other names for the decoder. The happy path
of reading needs nothing of this room but `DamagedPackets`, which says that nothing is damaged.

Imports only `vidseg.errors` and, of video, `info` and `demuxing`.
"""

from vidseg.video.damage._damaged_packets import DamagedPackets
from vidseg.video.damage._find_damage import find_damage
from vidseg.video.damage._tolerant_decoder import LostFrames, TolerantDecoder

__all__ = ["DamagedPackets", "LostFrames", "TolerantDecoder", "find_damage"]
