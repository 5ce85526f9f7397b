"""What every object carries, whatever predictor found it."""

import pytest

from tests.support.doubles import OraclePredictor, SceneSource
from tests.support.scenes import CLASSES
from vidseg.detection import Every
from vidseg.detection.batched import detect


@pytest.mark.parametrize("every", [1, 3, "auto"])
def test_objects_know_the_names_of_their_classes(every: Every) -> None:
    for _, objects in detect(SceneSource(8), OraclePredictor(), every=every):
        assert objects.names == CLASSES
        assert [one.name for one in objects] == [CLASSES[label] for label in objects.labels]
