"""The mark of 360 degree videos in MP4 and MOV, which ffmpeg reads but PyAV cannot write.

The mark is a box in the video track (Google's Spherical Video V1). Room for it is reserved as a
title of the right length, so that no other byte of the finished file has to move.
"""

import logging
from pathlib import Path

from av.stream import Stream

from vidseg.video.demuxing.mp4_boxes import boxes
from vidseg.video.info import VideoInfo

log = logging.getLogger("vidseg")

SPHERICAL_UUID = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
STEREO_MODES = {
    "equirectangular": "mono",
    "equirectangular, top-bottom": "top-bottom",
    "equirectangular, left-right": "left-right",
}
"""Maps projections that the mark can tell to its stereo mode."""
SPHERICAL_XML = (
    '<?xml version="1.0"?><rdf:SphericalVideo '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:GSpherical="http://ns.google.com/videos/1.0/spherical/">'
    "<GSpherical:Spherical>true</GSpherical:Spherical>"
    "<GSpherical:Stitched>true</GSpherical:Stitched>"
    "<GSpherical:StitchingSoftware>vidseg</GSpherical:StitchingSoftware>"
    "<GSpherical:ProjectionType>equirectangular</GSpherical:ProjectionType>"
    "<GSpherical:StereoMode>{}</GSpherical:StereoMode></rdf:SphericalVideo>"
)
FILLER_CHARACTER = b"~"


def reserve_mark(video: Stream, info: VideoInfo, container: str) -> bytes:
    """The mark for the output, and room for it in the title of `video`; empty if it gets none."""
    if not info.projection:
        return b""
    mode = STEREO_MODES.get(info.projection)
    if container not in ("mp4", "mov") or mode is None:
        log.warning(
            "The mark as a 360 degree video (%s) is left out; MP4 and MOV hold it for "
            "equirectangular videos.", info.projection,
        )  # fmt: skip
        return b""
    xml = SPHERICAL_XML.format(mode).encode()
    mark = (24 + len(xml)).to_bytes(4, "big") + b"uuid" + SPHERICAL_UUID + xml
    title = video.metadata.get("title", "")
    video.metadata["title"] = title + (FILLER_CHARACTER * len(mark)).decode()
    return mark


def write_mark(path: Path, mark: bytes) -> None:
    """Put the mark where `reserve_mark` made room, and shorten the boxes of the title."""
    if not mark:
        return
    filler = FILLER_CHARACTER * len(mark)
    with path.open("rb+") as file:
        size = path.stat().st_size
        movie = next(box for box in boxes(file, 0, size) if box.kind == b"moov")
        file.seek(movie.start)
        data = file.read(movie.end - movie.start)
        at = data.index(filler)
        outer = data.rindex(b"udta", 0, at) - 4  # holds "name", which holds the title
        for start in (outer, outer + 8):
            file.seek(movie.start + start)
            file.write((at - start).to_bytes(4, "big"))
        file.seek(movie.start + at)
        file.write(mark)
