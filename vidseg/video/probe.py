"""Facts about an input of any kind, found without decoding more than one frame."""

import stat
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.stream import Disposition

from vidseg.errors import InputError
from vidseg.video.color import HDR_TRANSFERS, frame_color
from vidseg.video.damage.truncation import missing
from vidseg.video.decoding.image_reader import is_image_file, probe_folder, probe_image
from vidseg.video.demuxing.container import READ_ERRORS, choose_stream, open_container
from vidseg.video.demuxing.timeline import (
    Timeline,
    find_rate,
    from_first_keyframe,
    has_times,
    is_reordered,
    scan,
)
from vidseg.video.info import StreamInfo, VideoInfo
from vidseg.video.orientation import frame_orientation, upright_size
from vidseg.video.pyav_versions import ratio

ALPHA_MODES = ("1", b"1")


def probe(path: str | Path) -> VideoInfo:
    """Facts about a video, an animated image, a photo or a folder of photos.

    The content decides what it is, not the name. Raises `InputError` where nothing can be read.
    """
    path = Path(path)
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        return probe_folder(path)
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is not a file; save what it delivers to a file first.")
    if not path.stat().st_size:
        raise InputError(f"{path} is empty (0 bytes).")
    if is_image_file(path):
        return probe_image(path)
    return _probe_video(path)


def _mode(path: Path) -> int:
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            path.open("rb").close()
        return mode
    except FileNotFoundError as error:
        broken = " (a link to a missing file)" if path.is_symlink() else ""
        raise InputError(f"{path} does not exist{broken}.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be opened: {reason}.") from error


def _probe_video(path: Path) -> VideoInfo:
    with open_container(path) as container:
        stream = choose_stream(container, path)
        index = stream.index
        frame = _first_frame(container, stream, path)
    with open_container(path) as container:
        stream = container.streams[index]
        timeline = scan(container, stream)
        return _describe(path, container, stream, timeline, frame)


def _first_frame(container: Any, stream: Any, path: Path) -> Any:
    try:
        for packet in from_first_keyframe(container.demux(stream)):
            for frame in _attempt(packet):
                return frame
    except READ_ERRORS:
        pass
    codec = stream.codec_context.name if stream.codec_context else "unknown"
    raise InputError(f"{path} has a video stream ({codec}) of which no frame can be decoded.")


def _attempt(packet: Any) -> list[Any]:
    try:
        return packet.decode()
    except READ_ERRORS:
        return []


def _describe(path: Path, container: Any, stream: Any, timeline: Timeline, frame: Any) -> VideoInfo:
    if not timeline.shown:
        raise InputError(f"{path} has a video stream of which no frame can be told apart.")
    timed = has_times(timeline, container, stream)
    rate, constant = find_rate(timeline, stream, timed=timed)
    damage = missing(path, container, stream, timeline, rate)
    if damage:
        rate, constant = find_rate(timeline, stream, timed=timed, gaps=True)
    origin = _origin(container)
    orientation = frame_orientation(frame)
    color = frame_color(frame)
    unit = ratio(stream.time_base) or Fraction(1)
    ordered = timed or (damage and not is_reordered(container, stream))
    first = timeline.stamps[0] * unit - origin if ordered and timeline.stamps else Fraction(0)
    return VideoInfo(
        path=path,
        kind="video",
        size=upright_size(frame.height, frame.width, orientation),
        rate=rate,
        constant_rate=constant,
        frames=timeline.shown,
        duration=_end(timeline, rate, unit, origin) if timed else first + timeline.shown / rate,
        timed=timed,
        start=first,
        origin=origin,
        time_base=unit,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        pixel_aspect=_pixel_aspect(stream, orientation.rotation),
        pixel_format=frame.format.name,
        color=color,
        hdr=color.transfer in HDR_TRANSFERS,
        alpha=_has_alpha(stream, frame),
        container=container.format.name,
        stream=stream.index,
        streams=tuple(map(_stream_info, container.streams)),
        chapters=len(container.chapters()),
        damage=damage,
    )


def _origin(container: Any) -> Fraction:
    """The earliest picture or sound, exact where libavformat's own start is in microseconds."""
    starts = [
        stream.start_time * stream.time_base
        for stream in (*container.streams.video, *container.streams.audio)
        if stream.start_time is not None and not stream.disposition & Disposition.attached_pic
    ]
    return min(starts, default=Fraction(0))


def _end(timeline: Timeline, rate: Fraction, unit: Fraction, origin: Fraction) -> Fraction:
    """Seconds from time 0 to the end of the last frame."""
    last = timeline.last_duration * unit or 1 / rate
    return timeline.stamps[-1] * unit + last - origin


def _pixel_aspect(stream: Any, rotation: int) -> Fraction:
    aspect = ratio(stream.sample_aspect_ratio) or Fraction(1)
    return 1 / aspect if rotation in (90, 270) else aspect


def _has_alpha(stream: Any, frame: Any) -> bool:
    coded = any(component.is_alpha for component in frame.format.components)
    return coded or stream.metadata.get("alpha_mode") in ALPHA_MODES


def _stream_info(stream: Any) -> StreamInfo:
    context = stream.codec_context
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=context.codec.canonical_name if context else "unknown",
        language=stream.language,
        default=bool(stream.disposition & Disposition.default),
    )
