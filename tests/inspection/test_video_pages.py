"""What the page about a video is made of, and how it behaves in a browser."""

from pathlib import Path

import numpy as np
import pytest

import vidseg
from tests.cli.test_evaluate import davis
from tests.support.doubles import OraclePredictor
from tests.support.pages import opened
from tests.support.saved_videos import NAMES, many_tracks, save_detections, save_lanes
from vidseg.inspection import _timeline
from vidseg.inspection._mask_spool import MaskSpool
from vidseg.inspection._time_words import clock, during
from vidseg.inspection._track_pictures import (
    MAX_BEST_BYTES,
    MOMENT_BYTES,
    PAGE_PICTURE_BYTES,
    around,
    budget_for,
    encoded,
)
from vidseg.inspection.found_video import FoundVideo
from vidseg.inspection.track_records import TrackRecord, VideoRecord
from vidseg.inspection.video_facts import About, video_facts
from vidseg.inspection.video_page import VideoPart, video_page
from vidseg.inspection.worst_moments import Kind, worst_moments
from vidseg.structures.instances import Instances
from vidseg.structures.masks import crop

MANY_TRACKS = 300


def track(
    positions: list[int], *, scores: float | list[float] = 0.9, step: float = 3, number: int = 1
) -> TrackRecord:
    """A square of 40 pixels that moves to the right by `step` a frame."""
    at = np.array(positions)
    left = 10 + step * at.astype(np.float32)
    boxes = np.stack([left, np.full_like(left, 20), left + 40, np.full_like(left, 60)], axis=1)
    given = np.broadcast_to(np.array(scores, np.float32), len(at)).copy()
    filled = np.zeros(len(at), np.bool_)
    return TrackRecord(number, 1, at, given, np.full(len(at), 1600), boxes, filled)


def record(*tracks: TrackRecord, frames: int = 100) -> VideoRecord:
    times = np.arange(frames) / 25
    return VideoRecord(
        (360, 640),
        {1: "car"},
        np.arange(frames),
        times,
        frames / 25,
        {},
        np.zeros(frames, np.float32),
        [*tracks],
    )


def kinds(*tracks: TrackRecord, score: float = 0.5) -> dict[Kind, int]:
    return dict(worst_moments(record(*tracks), score=score).counts)


def test_a_steady_track_has_no_worst_moment_even_if_it_is_fast() -> None:
    assert kinds(track([*range(100)])) == {"flicker": 0, "weak": 0, "jump": 0}
    assert kinds(track([*range(100)], step=35)) == {"flicker": 0, "weak": 0, "jump": 0}


def test_gaps_nearby_are_one_flicker_and_long_ones_are_none() -> None:
    seen = [n for n in range(100) if n not in (10, 11, 20, 60)]
    found = worst_moments(record(track(seen)), score=0.5)
    texts = [moment.text for moment in found.shown]
    assert texts == ["vanished 2 times, for 3 frames in all", "vanished once, for 1 frame"]
    assert (found.shown[0].first, found.shown[0].last) == (10, 20)
    assert kinds(track([*range(30), *range(70, 100)]))["flicker"] == 0


def test_filled_frames_are_missed_ones_but_for_keyframes() -> None:
    filled = track([*range(100)])
    filled.filled[40:43] = True
    found = worst_moments(record(filled), score=0.5)
    assert [moment.text for moment in found.shown] == ["vanished once, for 3 frames"]
    between = worst_moments(record(filled), score=0.5, filled_is_missed=False)
    assert between.counts["flicker"] == 0


def test_a_track_of_few_frames_flickers_unless_the_video_begins_or_ends_there() -> None:
    found = worst_moments(record(track([50, 51])), score=0.5)
    assert [moment.text for moment in found.shown] == ["was seen for 2 frames only"]
    assert [at for at, _ in found.shown[0].views] == [49, 50, 52]
    assert kinds(track([0, 1]))["flicker"] == kinds(track([98, 99]))["flicker"] == 0


def test_weak_is_below_the_score_asked_for_over_five_frames() -> None:
    scores = [0.9] * 100
    scores[50] = 0.1  # one weak frame is carried by its neighbours
    assert kinds(track([*range(100)], scores=scores))["weak"] == 0
    scores[48:53] = [0.3] * 5
    assert kinds(track([*range(100)], scores=scores))["weak"] == 1
    assert kinds(track([*range(100)], scores=scores), score=0.2)["weak"] == 0
    assert kinds(track([*range(100)], scores=float("nan")))["weak"] == 0


def test_a_jump_is_off_its_place_and_off_its_way() -> None:
    jumped = track([*range(100)])
    jumped.boxes[50:] += 60
    found = worst_moments(record(jumped), score=0.5)
    assert [moment.text for moment in found.shown] == ["moved 87 pixels from one frame to the next"]
    grown = track([*range(100)])
    grown.boxes[50:, 2:] += 60
    (moment,) = worst_moments(record(grown), score=0.5).shown
    assert moment.text == "was 6.2 times as large from one frame to the next"


def test_masks_come_back_from_the_spool_as_they_were() -> None:
    random = np.random.default_rng(4)
    cells = (random.random((3, 28, 28)) > 0.5).astype(np.uint8) * 255
    boxes = np.array([[3, 4, 70, 60], [0, 0, 20, 20], [50, 10, 90, 80]], np.float32)
    ones = np.ones(3, np.float32)
    objects = Instances(boxes, cells, ones, ones.astype(np.int64), np.array([7, 2, 5]), (90, 100))
    spool = MaskSpool()
    spool.add(Instances.empty((90, 100)))
    spool.add(objects)
    found = spool.crops(1, [5, 7, 8])
    spool.close()
    assert sorted(found) == [5, 7]
    for row, number in ((0, 7), (2, 5)):
        expected = crop(objects, row)
        assert found[number][:2] == expected[:2]
        np.testing.assert_array_equal(found[number].mask, expected.mask)


def test_pictures_have_a_most_number_of_bytes() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    for limit in (700, 8_000, MAX_BEST_BYTES):
        picture = encoded(noise, limit)
        assert len(picture.source) <= limit * 4 / 3 + 40
        assert picture.width > picture.height
    for count in (1, 20, MANY_TRACKS, 5000):
        budget = budget_for(count)
        pictured = min(count, MANY_TRACKS)
        of_tracks = pictured * (budget.best_bytes + budget.strip_frames * budget.strip_bytes)
        assert of_tracks + (4 * 3 + 8 * 2) * MOMENT_BYTES <= PAGE_PICTURE_BYTES * 1.02


def test_the_part_around_a_box_stays_inside_and_shows_all_of_it() -> None:
    for box in ([0, 0, 640, 360], [630, 350, 640, 360], [0, 100, 4, 300], [100, 90, 108, 96]):
        x0, y0, x1, y1 = around(np.array([box], np.float32), (360, 640))
        assert 0 <= x0 <= box[0] < box[2] <= x1 <= 640
        assert 0 <= y0 <= box[1] < box[3] <= y1 <= 360


def test_of_very_many_tracks_the_longest_are_listed() -> None:
    tracks = [track([n % 90, n % 90 + 1], number=n) for n in range(1, 1004)]
    whole = track([*range(100)], number=2000)
    found = record(*tracks, whole)
    moments = worst_moments(found, score=0.5)
    facts = video_facts(found, moments, About("in.mp4", 0.5, {}), strip_frames=4)
    listed = {each["id"] for each in facts["tracks"] if each["listed"]}
    assert len(facts["tracks"]) == 1004
    assert 2000 in listed
    assert 1000 <= len(listed) <= 1000 + len(moments.shown)
    assert {moment["track"] for moment in facts["moments"]} <= listed
    html = video_page("in.mp4", [VideoPart(facts)], "vidseg")
    assert html.count('<details class="track"') == len(listed)
    assert f"The {len(listed)} longest of 1004 tracks are listed" in html


def test_lines_break_where_a_track_is_away() -> None:
    video = {"start": 0.0, "end": 10.0, "bins": [0.0, 5.0]}
    curve = {"times": [0, 1, 5, 6], "scores": [1, 0.5, 0.2, None], "breaks": [2]}
    assert _timeline.line(video, curve, "scores") == "M0,0L1000,50M5000,80"
    assert _timeline.line(video, curve, "scores", 2, 7) == "M0,50L1000,75M5000,90H7000"
    assert _timeline.spans(video, [[0, 5], [5, 5]]) == "M0,0h5000v100h-5000zM5000,0h20v100h-20z"
    assert _timeline.steps(video, [0, 2], 2) == "M0,100L0,100H5000L5000,10H10000V100z"
    assert _timeline.part(video, 2.5, 5) == "2500 0 2500 100"
    assert [time for _, time in _timeline.ticks(video)] == [0, 2, 4, 6, 8]
    assert _timeline.ticks({"start": 3.0, "end": 3.0}) == []


def test_times_are_told_as_players_do() -> None:
    assert [clock(time) for time in (0, 7.46, 59.96, 3723)] == [
        *("0:00.0", "0:07.5", "1:00.0", "1:02:03.0")
    ]
    timed, untimed = {"timed": True}, {"timed": False}
    assert during(timed, 1, 2.5) == "0:01.0 to 0:02.5"
    assert during(timed, 1, 1.04) == "0:01.0"
    assert during(untimed, 1, 2) == "frame 1"
    assert during(untimed, 1, 4) == "frames 1 to 3"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    _, saved = save_lanes(folder)
    vidseg.report(saved, folder / "out.html")
    return folder / "out.html"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_without_complaint(page: Path, width: int, scheme: str) -> None:
    with opened(page, width=width, scheme=scheme) as tab:  # type: ignore[arg-type]
        for number in (1, 2, 3):
            tab.page.locator(f"#track-{number} > summary").click()
        run = tab.page.evaluate
        assert run("document.documentElement.scrollWidth") <= width
        assert run("[...document.images].every(each => each.alt)")
        assert run("[...document.images].every(each => !each.complete || each.naturalWidth)")
        ground = run("getComputedStyle(document.body).backgroundColor")
        light = sum(map(int, ground.removeprefix("rgb(").removesuffix(")").split(","))) > 384
        assert light == (scheme == "light")
        assert tab.complaints == []


def test_a_browser_shows_clips_beside_their_truth(tmp_path: Path) -> None:
    search = vidseg.Search(model=OraclePredictor())
    vidseg.report(davis(tmp_path / "davis"), tmp_path / "out.html", search=search)
    with opened(tmp_path / "out.html", width=390) as tab:
        tab.page.locator("#truth-2 > summary").click()
        assert tab.page.locator("#truth-2 .pairs img").count() >= 2
        tab.page.locator("#truth-2 .made a").click()
        assert tab.page.evaluate("document.activeElement.parentElement.id") == "track-2"
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert tab.complaints == []


def test_hostile_names_do_nothing_in_a_browser(page: Path, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=document.title='hacked'>\"'"
    saved = page.with_name("in.vidseg")
    pairs = list(vidseg.read_detections(saved))
    names = {**NAMES, 1: hostile}
    video = page.with_name("in.mp4")
    vidseg.report(save_detections(tmp_path / "a.vidseg", video, pairs, names),
                  tmp_path / "out.html", video=video)  # fmt: skip
    with opened(tmp_path / "out.html") as tab:
        tab.page.get_by_label("Class").select_option(hostile)
        assert tab.page.get_by_role("status").text_content() == "2 of 3 tracks"
        assert tab.page.title() == "in.mp4: report"
        assert tab.page.locator("img[src=x]").count() == 0
        assert tab.complaints == []


def test_it_is_used_with_the_keyboard_alone(page: Path) -> None:
    with opened(page) as tab:
        press, run = tab.page.keyboard.press, tab.page.evaluate
        focused = "document.activeElement.parentElement.id"
        tab.page.locator("#track-1 > summary").focus()
        press("ArrowDown")
        assert run(focused) == "track-2"
        press("Enter")
        assert run("document.activeElement.parentElement.open")
        press("Tab")
        press("Tab")
        press("Tab")
        assert run("document.activeElement.textContent") == "Copy"
        press("Enter")
        tab.page.get_by_text("Copied").wait_for()
        press("Escape")
        assert run(focused) == "track-2"
        assert not run("document.activeElement.parentElement.open")
        press("End")
        assert run(focused) == "track-3"
        assert tab.complaints == []


def test_a_worst_moment_leads_to_its_track(page: Path) -> None:
    with opened(page) as tab:
        tab.page.locator(".moments a").first.click()
        assert tab.page.evaluate("document.activeElement.parentElement.id") == "track-1"
        assert tab.page.locator("#track-1").get_attribute("open") is not None


def test_tracks_are_filtered_and_ordered(page: Path) -> None:
    def listed() -> list[str]:
        return tab.page.evaluate(
            "[...document.querySelectorAll('.track')].filter(t => !t.hidden).map(t => t.id)"
        )

    with opened(page) as tab:
        assert listed() == ["track-1", "track-2", "track-3"]
        tab.page.get_by_label("Order").select_option("weakest score")
        assert listed()[0] == "track-2"
        tab.page.get_by_label("Class").select_option("car")
        assert set(listed()) == {"track-1", "track-3"}
        assert tab.page.get_by_role("status").text_content() == "2 of 3 tracks"


def test_a_page_of_300_tracks_stays_below_5_mb() -> None:
    with FoundVideo(NAMES) as found:
        for moment, instances in many_tracks(frames=900, tracks=MANY_TRACKS):
            found.add(moment, instances)
        part = found.part(found.record(), About("in.mp4", 0.5, {}), None)
    assert len(part.facts["tracks"]) == MANY_TRACKS
    assert len(part.facts["tracks"][5]["curve"]["times"]) == 40
    size = len(video_page("in.mp4", [part], "vidseg"))
    strips = MANY_TRACKS * 5 * 400  # what the tags of pictures take
    assert size + strips + PAGE_PICTURE_BYTES * 4 / 3 < 5e6
