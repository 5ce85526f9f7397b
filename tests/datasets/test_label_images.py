"""Label pictures: only formats that photos may have are read, whatever a file's name says."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures

from vidseg.datasets.label_images import read_values
from vidseg.errors import InputError

VALUES = np.array([[0, 1], [2, 255]], np.uint8)


def test_values_are_read_as_they_are(tmp_path: Path) -> None:
    Pictures.fromarray(VALUES).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), VALUES)


@pytest.mark.parametrize("format", ["EPS", "PCX", "TGA"])
def test_no_other_decoder_of_pillow_runs(format: str, tmp_path: Path) -> None:
    """Among them is that of EPS, which starts Ghostscript."""
    Pictures.fromarray(VALUES).save(tmp_path / "a.png", format=format)
    with pytest.raises(InputError, match=r"a\.png cannot be read as a mask image"):
        read_values(tmp_path / "a.png")
