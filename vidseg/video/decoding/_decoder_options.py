"""Which decoder reads a stream, and how strict it is: the one that notices most damage."""

from itertools import islice
from typing import cast

import av
from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from vidseg.cpu_budget import codec_threads
from vidseg.video.demuxing.container import READ_ERRORS, open_container, read_only, video_stream
from vidseg.video.info import VideoInfo

STRICT_DETECTION = "explode"
"""Errors end the decoding of a frame instead of being concealed."""
EXACT_DETECTION = "explode+buffer"
"""As above, and a picture must not end before its data; old encoders leave garbage there."""
EXACT_CODECS = ("msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2")
LIBVPX = "libvpx-vp9"
LIBVPX_FORMATS = ("yuv420p", "yuv422p", "yuv440p", "yuv444p", "gbrp")
"""Pixel formats that PyAV's libvpx is built for."""
EXACT_TRIAL_PACKETS = 8
"""Packets at the start of a stream that must pass `EXACT_DETECTION` for it to be used."""


def open_decoder(stream: VideoStream, info: VideoInfo, *, threads: bool) -> VideoCodecContext:
    """The codec context that decodes the packets of an open stream."""
    context = stream.codec_context
    if _uses_libvpx(stream, info):
        context = cast(VideoCodecContext, CodecContext.create(LIBVPX, "r"))
        context.extradata = stream.codec_context.extradata
    context.options = {"err_detect": _err_detect(stream, info)}
    if threads:
        context.thread_type, context.thread_count = "AUTO", codec_threads()
    else:
        context.thread_type, context.thread_count = "NONE", 1
    return context


def _uses_libvpx(stream: VideoStream, info: VideoInfo) -> bool:
    """For 8-bit VP9: ffmpeg's own decoder draws whatever damaged data say."""
    plain = info.pixel_format in LIBVPX_FORMATS and not info.alpha
    return stream.codec.canonical_name == "vp9" and plain and LIBVPX in av.codecs_available


def _err_detect(stream: VideoStream, info: VideoInfo) -> str:
    exact = stream.codec.canonical_name in EXACT_CODECS and _starts_exact(info)
    return EXACT_DETECTION if exact else STRICT_DETECTION


def _starts_exact(info: VideoInfo) -> bool:
    with open_container(info.path) as container:
        stream = video_stream(container, info.stream)
        stream.codec_context.options = {"err_detect": EXACT_DETECTION}
        try:
            for packet in islice(read_only(container, stream), EXACT_TRIAL_PACKETS):
                stream.decode(packet)
        except READ_ERRORS:
            return False
    return True
