"""Headers of `.vidseg` files for tests that need no video."""

from typing import Any

from vidseg.results.vidseg_header import Header


def source_facts(**changes: Any) -> dict[str, Any]:
    """What `fingerprint_of_input` says of a video of 192 x 128 pixels, with changes."""
    return {
        "name": "in.mp4",
        "bytes": 1,
        "sha256": "0" * 64,
        "kind": "video",
        "size": [128, 192],
        "rate": "30",
        "frames": None,
        **changes,
    }


def folder_facts(*photos: str) -> dict[str, Any]:
    """The same of a folder of photos, which may differ in size."""
    return source_facts(name="photos", kind="folder", frames=len(photos), photos=list(photos))


def header_for_tests(classes: dict[int, str], **changes: Any) -> Header:
    """A header of a run over that video."""
    values = {"source": source_facts(), "model": {"name": "balloon"}, "kept_score": 0.1}
    return Header(**{**values, "classes": classes, **changes})
