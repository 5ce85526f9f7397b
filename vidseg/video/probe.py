"""Facts about an input of any kind, found without decoding more than its first frame."""

import stat
from fractions import Fraction
from pathlib import Path

from av import VideoFrame
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidseg.errors import InputError, is_out_of_threads
from vidseg.remote.fetch import local
from vidseg.video.color import HDR_TRANSFERS, frame_color
from vidseg.video.damage import find_damage
from vidseg.video.decoding.image_reader import is_image_file, probe_folder, probe_image
from vidseg.video.demuxing import avi
from vidseg.video.demuxing.container import (
    READ_ERRORS,
    choose_stream,
    open_container,
    read_only,
    time_base,
)
from vidseg.video.demuxing.frame_rate import find_rate
from vidseg.video.demuxing.packets import VideoPacket
from vidseg.video.demuxing.timeline import Timeline, TimelineScan, has_times, indexed_timeline
from vidseg.video.info import Keyframe, StreamInfo, VideoInfo
from vidseg.video.orientation import frame_orientation, frame_projection, upright_size
from vidseg.video.pyav_versions import ratio

ALPHA_MODES = ("1", b"1")
EXACT_SEEK = ("mov", "matroska")
"""Containers in which a seek by time lands on the very keyframe that was asked for."""
BYTE_SEEK = ("mpegts",)
"""Containers that can be read from any byte on."""
MAX_KEYFRAMES = 4096
"""Keyframes that `VideoInfo` keeps: every one of up to some hours, fewer if all frames are."""


def probe(path: str | Path) -> VideoInfo:
    """Facts about a video, an animated image, a photo or a folder of photos.

    The content decides the kind, not the name. Raises `InputError` if nothing can be read. An MP4
    is read no further than its index; other videos are read once, without decoding them. The file
    of a URL is fetched first.
    """
    path = local(path)
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        return probe_folder(path)
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is not a regular file; save its data to a file first.")
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
        timeline, frame = _scan(path, container, stream)
        return _describe(path, container, stream, timeline, frame)


def _scan(
    path: Path, container: InputContainer, stream: VideoStream
) -> tuple[Timeline, VideoFrame]:
    """All times of the stream and its first frame, in one pass or by the container's index."""
    scan = TimelineScan(stream)
    frame: VideoFrame | None = None
    first: VideoPacket | None = None
    try:
        for packet in read_only(container, stream):
            first = first or packet
            scan.add(packet)
            if frame is not None or not scan.started:
                continue
            frame = next(iter(_attempt(packet)), None)
            if frame is not None:
                timeline = indexed_timeline(path, container, stream, first)
                if timeline is not None:
                    return timeline, frame
    except READ_ERRORS as error:
        if is_out_of_threads(error):
            raise
        scan.broken = True
    if frame is None:
        codec = stream.codec_context.name if stream.codec_context else "unknown"
        raise InputError(f"{path} has a video stream ({codec}) of which no frame can be decoded.")
    return scan.timeline(), frame


def _attempt(packet: VideoPacket) -> list[VideoFrame]:
    try:
        return packet.decode()
    except READ_ERRORS as error:
        if is_out_of_threads(error):
            raise
        return []


def _describe(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    timeline: Timeline,
    frame: VideoFrame,
) -> VideoInfo:
    if not timeline.count:
        raise InputError(f"{path} has a video stream of which no frame can be told apart.")
    timed = has_times(timeline, container, stream)
    rate, constant = find_rate(timeline, stream, timed=timed)
    damage = find_damage(path, container, stream, timeline, rate)
    if damage:
        rate, constant = find_rate(timeline, stream, timed=timed, damaged=True)
    origin = _origin(container)
    orientation = frame_orientation(frame)
    color = frame_color(frame)
    unit = time_base(stream)
    ordered = timed or (damage and not avi.is_reordered(container, stream))
    start = Fraction(0)
    if ordered and len(timeline.pts):
        start = int(timeline.pts[0]) * unit - origin
    end = start + timeline.count / rate
    if timed:
        end = _end(container, stream, timeline, rate, intact=not damage) - origin
    return VideoInfo(
        path=path,
        kind="video",
        size=upright_size(frame.height, frame.width, orientation),
        rate=rate,
        constant_rate=constant,
        frames=timeline.count,
        duration=end,
        timed=timed,
        start=start,
        origin=origin,
        time_base=unit,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        pixel_aspect=_pixel_aspect(stream, orientation.rotation),
        pixel_format=frame.format.name,
        color=color,
        hdr=color.transfer in HDR_TRANSFERS,
        interlaced=frame.interlaced_frame,
        projection=frame_projection(frame),
        alpha=_has_alpha(stream, frame),
        container=container.format.name,
        stream=stream.index,
        streams=tuple(map(_stream_info, container.streams)),
        chapters=len(container.chapters()),
        damage=damage,
        keyframes=_keyframes(container, timeline) if timed else (),
    )


def _origin(container: InputContainer) -> Fraction:
    """The earliest picture or sound; exact, while libavformat's own start is in microseconds."""
    starts = [
        stream.start_time * time_base(stream)
        for stream in (*container.streams.video, *container.streams.audio)
        if stream.start_time is not None and not stream.disposition & Disposition.attached_pic
    ]
    return min(starts, default=Fraction(0))


def _end(
    container: InputContainer,
    stream: VideoStream,
    timeline: Timeline,
    rate: Fraction,
    *,
    intact: bool,
) -> Fraction:
    """Seconds of the container's clock at the end of the last frame."""
    unit, last = time_base(stream), int(timeline.pts[-1])
    duration = timeline.last_duration
    if intact:
        duration = avi.repeats(container, stream, last) or duration
    doubles = int((timeline.pts == last).sum()) - 1  # are shown after it
    return last * unit + (duration * unit or 1 / rate) + doubles / rate


def _keyframes(container: InputContainer, timeline: Timeline) -> tuple[Keyframe, ...]:
    """Keyframes at which reading can start, where seeking to them is exact."""
    names = container.format.name.split(",")
    by_byte = any(name in BYTE_SEEK for name in names)
    seekable = by_byte or any(name in EXACT_SEEK for name in names)
    if not seekable or len(timeline.pts) < timeline.count:
        return ()
    step = -(-len(timeline.keys) // MAX_KEYFRAMES) or 1
    places = [None] * len(timeline.keys) if not by_byte else timeline.key_positions.tolist()
    return tuple(
        Keyframe(pts, timeline.frames_before(pts), place)
        for pts, place in zip(timeline.keys[::step].tolist(), places[::step], strict=True)
        if place is None or place >= 0
    )


def _pixel_aspect(stream: VideoStream, rotation: int) -> Fraction:
    aspect = ratio(stream.sample_aspect_ratio) or Fraction(1)
    return 1 / aspect if rotation in (90, 270) else aspect


def _has_alpha(stream: VideoStream, frame: VideoFrame) -> bool:
    coded = any(component.is_alpha for component in frame.format.components)
    return coded or stream.metadata.get("alpha_mode") in ALPHA_MODES


def _stream_info(stream: Stream) -> StreamInfo:
    context = stream.codec_context
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=context.codec.canonical_name if context else "unknown",
        language=stream.language,
        default=bool(stream.disposition & Disposition.default),
    )
