"""What objects carry, whatever predictor found them, and what a predictor must return."""

from collections.abc import Sequence

import pytest

from tests.support.doubles import OraclePredictor, SceneSource
from tests.support.scenes import CLASSES
from vidseg.detection import Every
from vidseg.detection.batched import detect
from vidseg.errors import VidsegError
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances


@pytest.mark.parametrize("every", [1, 3, "auto"])
def test_objects_know_the_names_of_their_classes(every: Every) -> None:
    for _, objects in detect(SceneSource(8), OraclePredictor(), every=every):
        assert objects.names == CLASSES
        assert [one.name for one in objects] == [CLASSES[label] for label in objects.labels]


class Forgetful(OraclePredictor):
    def predict(self, images: Sequence[Image]) -> list[Instances]:
        return super().predict(images)[1:]


class Turned(OraclePredictor):
    def predict(self, images: Sequence[Image]) -> list[Instances]:
        return [Instances.empty((image.shape[1], image.shape[0])) for image in images]


@pytest.mark.parametrize(
    ("predictor", "message"),
    [
        (Forgetful(), "Forgetful.predict returned 3 results for 4 images; it must return one"),
        (Turned(), r"Turned.predict returned objects of size \(192, 128\) for an image of \(128,"),
    ],
)
def test_a_predictor_of_ones_own_that_goes_wrong_is_told(
    predictor: OraclePredictor, message: str
) -> None:
    with pytest.raises(VidsegError, match=message):
        list(detect(SceneSource(4), predictor, batch_size=4))
