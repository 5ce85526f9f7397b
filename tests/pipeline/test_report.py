"""The page about a video says what was found in it, and the commands on it show that."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

import vidseg
from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from tests.support.pages import Facts, facts_of
from tests.support.saved_videos import MISSED, NAMES, WEAK, save_detections, save_lanes
from tests.support.scenes import scene_image, write_scene
from vidseg.errors import InputError, OptionError, OutputExistsError
from vidseg.structures.instances import Instances

FRAMES = 60


@pytest.fixture(scope="module")
def lanes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with in.mp4, in.vidseg and their report, out.html."""
    folder = tmp_path_factory.mktemp("lanes")
    save_lanes(folder, frames=FRAMES)
    vidseg.report(folder / "in.vidseg", folder / "out.html")
    return folder


@pytest.fixture
def facts(lanes: Path) -> Facts:
    (video,) = facts_of(lanes / "out.html")["videos"]
    return video


def shown(lanes: Path) -> list[tuple[int, float, Instances]]:
    """Index, time and objects of every frame, as other commands show them."""
    search = vidseg.Search(detections=lanes / "in.vidseg")
    found = vidseg.find(lanes / "in.mp4", search)
    return [(frame.index, float(frame.time), objects) for frame, objects in found]


def test_the_numbers_of_every_track_are_those_of_the_detections(lanes: Path, facts: Facts) -> None:
    rows: dict[int, list[tuple[int, float, float, int]]] = {}
    for index, time, objects in shown(lanes):
        for one in objects:
            area = int(np.count_nonzero(one.full_mask()))
            rows.setdefault(one.id or 0, []).append((index, time, one.score, area))
    assert [track["id"] for track in facts["tracks"]] == list(rows)
    for track in facts["tracks"]:
        indexes, times, scores, areas = map(np.array, zip(*rows[track["id"]], strict=True))
        assert track["frames"] == len(indexes)
        assert (track["first_frame"], track["last_frame"]) == (indexes[0], indexes[-1])
        assert track["start"] == pytest.approx(times[0], abs=1e-4)
        assert track["end"] == pytest.approx(times[-1] + 1 / 30, abs=1e-4)
        curve = track["curve"]
        np.testing.assert_allclose(curve["times"], times, atol=1e-4)
        np.testing.assert_allclose(curve["scores"], scores, atol=1e-4)
        np.testing.assert_array_equal(curve["areas"], areas)
        for name, values in (("score", scores), ("area", areas)):
            assert track[name]["mean"] == pytest.approx(values.mean(), abs=0.06)
            assert track[name]["lowest"] == pytest.approx(values.min(), abs=1e-4)
            assert track[name]["highest"] == pytest.approx(values.max(), abs=1e-4)


def test_counts_and_coverage_are_those_of_every_frame(lanes: Path, facts: Facts) -> None:
    frames = shown(lanes)
    assert facts["frames"] == len(frames) == len(facts["bins"]) == FRAMES
    assert facts["frames_with_objects"] == sum(len(objects) > 0 for _, _, objects in frames)
    for one in facts["classes"]:
        counts = [objects.class_names.count(one["name"]) for _, _, objects in frames]
        assert (one["bins"], one["objects"], one["most"]) == (counts, sum(counts), max(counts))
    covered = [objects.full_masks().any(0).mean() for _, _, objects in frames]
    np.testing.assert_allclose(facts["coverage"]["bins"], covered, atol=1e-5)
    assert facts["coverage"]["mean"] == pytest.approx(np.mean(covered), abs=1e-5)


def test_a_track_that_vanishes_and_one_that_is_weak_are_worst_moments(facts: Facts) -> None:
    by_kind = {moment["kind"]: moment for moment in facts["moments"]}
    flicker, weak = by_kind["flicker"], by_kind["weak"]
    assert (flicker["track"], flicker["text"]) == (1, f"vanished once, for {len(MISSED)} frames")
    assert [view["frame"] for view in flicker["views"]] == [19, 21, 24]
    assert (weak["track"], weak["text"]) == (2, "had a score of 0.20 on average")
    assert weak["views"][1]["frame"] in WEAK
    assert facts["moment_counts"] == {"flicker": 1, "weak": 1, "jump": 0}


def test_spans_leave_out_where_a_track_is_away(facts: Facts) -> None:
    (track,) = [each for each in facts["tracks"] if each["id"] == 1]
    away = MISSED[0] / 30, (MISSED[-1] + 1) / 30
    expected = [[0.0, away[0]], [away[1], FRAMES / 30]]
    np.testing.assert_allclose(track["spans"], expected, atol=1e-4)


def test_every_picture_is_inside_and_says_what_it_shows(lanes: Path, facts: Facts) -> None:
    html = (lanes / "out.html").read_text()
    pictures = html.count("<img ")
    assert pictures == html.count('src="data:image/webp;base64,')
    strips = sum(len(track["strip"]) for track in facts["tracks"])
    views = sum(len(moment["views"]) for moment in facts["moments"])
    assert pictures == len(facts["tracks"]) + strips + views
    assert 'alt=""' not in html
    assert "car 1 at 0:00.7, frame 21: missed" in html
    for outside in ("http://", "https://", '<link rel="stylesheet', "@import", "url("):
        assert outside not in html


def test_the_command_of_a_track_shows_that_track(
    lanes: Path, facts: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = facts["tracks"][2]
    words = shlex.split(track["command"])
    assert words[:4] == ["vidseg", "overlay", "--id", str(track["id"])]
    monkeypatch.chdir(tmp_path)
    result = run(*words[1:])
    assert result.exit_code == 0, result.stderr
    assert f"1 object, in {track['frames']} of {FRAMES} frames" in result.stderr
    assert (tmp_path / f"in_{track['id']}.mp4").exists()


def test_a_video_is_searched_by_the_model_and_the_command_names_it(
    oracle: OraclePredictor, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, page = write_scene(tmp_path / "in.mp4", frames=24), tmp_path / "out.html"
    options = ("--class", "disc", "--score", 0.8, "--start", 0.2, "--fill", 3)
    result = run("report", "--model", model, *options, clip, page)
    assert result.exit_code == 0, result.stderr
    assert f"{page}: 18 frames" in result.stderr
    (video,) = facts_of(page)["videos"]
    assert [one["name"] for one in video["classes"]] == ["disc"]
    assert video["start"] == pytest.approx(0.2)
    monkeypatch.chdir(tmp_path)
    for track in video["tracks"]:
        drawn = run(*shlex.split(track["command"])[1:])
        assert f"1 object, in {track['frames']} of 18 frames" in drawn.stderr


def test_detections_give_the_same_tracks_as_the_run_that_saved_them(
    oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=24)
    saved = tmp_path / "in.vidseg"
    run("report", "--model", model, "--save-detections", saved, clip, tmp_path / "a.html")
    oracle.seen.clear()
    assert run("report", saved, tmp_path / "b.html").exit_code == 0
    assert not oracle.seen
    one, other = (facts_of(tmp_path / name)["videos"][0] for name in ("a.html", "b.html"))
    assert one["tracks"] == other["tracks"]
    assert len(one["tracks"]) == 3
    assert f"--detections {saved}" in one["tracks"][0]["command"]


def test_saved_ids_that_do_not_fit_are_found_anew(lanes: Path, tmp_path: Path) -> None:
    search = vidseg.Search("car", detections=lanes / "in.vidseg", score=0.7)
    vidseg.report(lanes / "in.vidseg", tmp_path / "out.html", search=search)
    (video,) = facts_of(tmp_path / "out.html")["videos"]
    found = [objects for _, objects in vidseg.find(lanes / "in.mp4", search)]
    assert {track["id"] for track in video["tracks"]} == {i for o in found for i in o.ids.tolist()}
    assert sum(track["frames"] for track in video["tracks"]) == sum(map(len, found))


def test_a_part_of_saved_detections(lanes: Path, tmp_path: Path) -> None:
    span = vidseg.Span(0.5, 1)
    vidseg.report(lanes / "in.vidseg", tmp_path / "out.html", span=span)
    (video,) = facts_of(tmp_path / "out.html")["videos"]
    assert (video["frames"], video["start"], video["end"]) == (15, 0.5, 1.0)
    with pytest.raises(InputError, match=r"in\.vidseg has no frame between the start and the end"):
        vidseg.report(lanes / "in.vidseg", tmp_path / "b.html", span=vidseg.Span(50))
    assert not (tmp_path / "b.html").exists()


def test_the_video_of_detections_is_found_given_or_missed(lanes: Path, tmp_path: Path) -> None:
    saved = tmp_path / "moved.vidseg"
    saved.write_bytes((lanes / "in.vidseg").read_bytes())
    assert "so the page has no pictures" in run("report", saved, tmp_path / "a.html").stderr
    (without,) = facts_of(tmp_path / "a.html")["videos"]
    assert without["notes"] == ["The video was not at hand, so there are no pictures."]
    assert "<img " not in (tmp_path / "a.html").read_text()
    vidseg.report(saved, tmp_path / "b.html", video=lanes / "in.mp4")
    (given,) = facts_of(tmp_path / "b.html")["videos"]
    for one, other in zip(without["tracks"], given["tracks"], strict=True):
        assert {**one, "command": ""} == {**other, "command": ""}
    assert "<img " in (tmp_path / "b.html").read_text()
    other = write_scene(tmp_path / "in.mp4", frames=9)
    assert "another input" in fails("report", saved, tmp_path / "c.html")
    assert "another input" in fails("report", "--video", other, saved, tmp_path / "c.html")
    assert not (tmp_path / "c.html").exists()


HOSTILE = "</script><img src=x onerror=alert(1)>'\"&{{ 7 * 7 }}"


def test_names_stay_text(lanes: Path, tmp_path: Path) -> None:
    video = tmp_path / "<b>&amp;'\"{{ 7 * 7 }}.mp4"
    video.write_bytes((lanes / "in.mp4").read_bytes())
    pairs = list(vidseg.read_detections(lanes / "in.vidseg"))
    saved = save_detections(tmp_path / "in.vidseg", video, pairs, {**NAMES, 1: HOSTILE})
    vidseg.report(saved, tmp_path / "out.html")
    html = (tmp_path / "out.html").read_text()
    (facts,) = facts_of(tmp_path / "out.html")["videos"]
    assert facts["name"] == video.name
    assert facts["classes"][0]["name"] == HOSTILE
    assert html.count("</script>") == html.count("<script") == 2
    for told in ("<img src=x", "<b>&amp;'", "'\"&"):
        assert told not in html
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&#39;&#34;&amp;{{ 7 * 7 }}" in html


def test_objects_without_tracks_are_counted(
    oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(3):
        Picture.fromarray(scene_image(index)).save(photos / f"{index}.png")
    result = run("report", "--model", model, photos, tmp_path / "out.html")
    assert result.exit_code == 0, result.stderr
    (video,) = facts_of(tmp_path / "out.html")["videos"]
    assert video["tracks"] == []
    assert video["untracked"] == sum(one["objects"] for one in video["classes"]) > 0
    assert "Objects were not tracked" in (tmp_path / "out.html").read_text()


def test_what_cannot_be_is_refused_before_the_work(
    lanes: Path, oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    clip, saved = lanes / "in.mp4", lanes / "in.vidseg"
    assert "use a name with .html" in fails("report", saved, tmp_path / "out.pdf", code=2)
    assert "exists" in fails("report", saved, lanes / "out.html")
    assert "leave --detections" in run("report", "--detections", saved, saved, "x.html").stderr
    assert "leave it out" in fails(
        "report", "--model", model, "--video", clip, clip, tmp_path / "a.html", code=2
    )
    photo = tmp_path / "a.png"
    Picture.new("RGB", (64, 48)).save(photo)
    assert "is a photo" in fails("report", "--model", model, photo, tmp_path / "a.html", code=2)
    with pytest.raises(OptionError, match="holds detections"):
        vidseg.report(saved, tmp_path / "a.html", search=vidseg.Search(model=oracle))
    with pytest.raises(OutputExistsError):
        vidseg.report(saved, lanes / "out.html")
    assert not oracle.seen
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]


def test_an_animation_whose_name_looks_like_an_option(
    oracle: OraclePredictor, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_scene(tmp_path / "-in.apng", frames=6, pixel_format="rgb24")
    vidseg.report("-in.apng", "out.html", search=vidseg.Search(model=model))
    (video,) = facts_of(tmp_path / "out.html")["videos"]
    assert len(video["tracks"]) == 3
    assert video["tracks"][0]["command"].endswith(" ./-in.apng ./-in_1.apng")
    assert "<img " in (tmp_path / "out.html").read_text()


def test_nothing_found_is_a_page_too(oracle: OraclePredictor, model: str, tmp_path: Path) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=4)
    run("report", "--model", model, "--score", 1, clip, tmp_path / "out.html")
    (video,) = facts_of(tmp_path / "out.html")["videos"]
    assert (video["frames"], video["tracks"], video["classes"]) == (4, [], [])
    assert "No object was found" in (tmp_path / "out.html").read_text()
