"""Which decoder reads a stream, and how strict it is: the one that notices most damage."""

from itertools import islice
from typing import Any

import av
from av.codec import CodecContext

from vidseg.cpu_budget import codec_threads
from vidseg.video.demuxing.container import READ_ERRORS, open_container
from vidseg.video.info import VideoInfo

STRICT = "explode"
"""Errors end the decoding of a frame instead of being patched over."""
EXACT = "explode+buffer"
"""Also a picture that ends before its data does; old encoders leave rubbish there."""
EXACT_CODECS = ("msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2")
LIBVPX = "libvpx-vp9"
PLAIN = ("yuv420p", "yuv422p", "yuv440p", "yuv444p", "gbrp")
"""Pixel formats that PyAV's libvpx is built for."""
TRIED = 8
"""Packets at the start of a stream that must be exact for the others to be held to it."""


def open_decoder(stream: Any, info: VideoInfo, *, threads: bool) -> Any:
    """The codec context that decodes the packets of an open stream."""
    context = stream.codec_context
    if _goes_to_libvpx(stream, info):
        context = CodecContext.create(LIBVPX, "r")
        context.extradata = stream.codec_context.extradata
    context.options = {"err_detect": _err_detect(stream, info)}
    if threads:
        context.thread_type, context.thread_count = "AUTO", codec_threads()
    else:
        context.thread_type, context.thread_count = "NONE", 1
    return context


def _goes_to_libvpx(stream: Any, info: VideoInfo) -> bool:
    """VP9 of 8 bits, where ffmpeg's own decoder draws whatever damaged data say."""
    plain = info.pixel_format in PLAIN and not info.alpha
    return stream.codec.canonical_name == "vp9" and plain and LIBVPX in av.codecs_available


def _err_detect(stream: Any, info: VideoInfo) -> str:
    exact = stream.codec.canonical_name in EXACT_CODECS and _starts_exact(info)
    return EXACT if exact else STRICT


def _starts_exact(info: VideoInfo) -> bool:
    with open_container(info.path) as container:
        stream = container.streams[info.stream]
        stream.codec_context.options = {"err_detect": EXACT}
        try:
            for packet in islice(container.demux(stream), TRIED):
                stream.decode(packet)
        except READ_ERRORS:
            return False
    return True
