"""Nuclei under the microscope, in the layout of the Data Science Bowl 2018, learned end to end.

    python examples/nuclei.py draw DATA      # made data: the competition's needs an account
    vidseg data check DATA
    vidseg data split DATA --val 0.2
    vidseg train DATA --class-name nucleus --weights bundled --steps 300 --out runs/nuclei
    vidseg evaluate --model runs/nuclei/best.pt --class-name nucleus DATA
    vidseg overlay --model runs/nuclei/best.pt DATA/0000/images/0000.png found.png

`draw` paints photos as a fluorescence microscope takes them: bright, soft nuclei of many sizes on
noise, some of which touch. The real `stage1_train` folder goes through the same commands: a folder
per photo, with `images/ID.png` and one mask image per nucleus in `masks/`.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 256
"""As the smallest photos of the competition."""
MAX_HIDDEN = 0.2
"""Share of a nucleus that others may hide."""


def draw(folder: Path, photos: int = 40, seed: int = 0) -> None:
    """Write so many photos with their masks; the same `seed` gives the same ones."""
    for number in range(photos):
        image, masks = nuclei(np.random.default_rng((seed, number)))
        home = folder / f"{number:04d}"
        (home / "images").mkdir(parents=True)
        (home / "masks").mkdir()
        cv2.imwrite(str(home / "images" / f"{number:04d}.png"), image)
        for row, mask in enumerate(masks):
            cv2.imwrite(str(home / "masks" / f"{row:03d}.png"), mask.astype(np.uint8) * 255)


def nuclei(
    random: np.random.Generator,
) -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
    """A photo (H, W) and the masks (H, W) of what is seen of each nucleus."""
    light = np.full((SIDE, SIDE), random.uniform(8, 30), np.float32)
    masks: list[NDArray[np.bool_]] = []
    for _ in range(random.integers(8, 30)):
        one = nucleus(random)
        taken = np.any(masks, axis=0) if masks else np.zeros_like(one)
        if (one & taken).sum() > MAX_HIDDEN * one.sum():
            continue
        one &= ~taken
        masks.append(one)
        texture = cv2.GaussianBlur(random.normal(0, 25, one.shape).astype(np.float32), (0, 0), 2)
        light[one] = random.uniform(70, 200) + texture[one]
    light = cv2.GaussianBlur(light, (0, 0), 1.0) + random.normal(0, 4, light.shape)
    return light.clip(0, 255).astype(np.uint8), masks


def nucleus(random: np.random.Generator) -> NDArray[np.bool_]:
    """An ellipse, wholly inside."""
    size = random.uniform(6, 20)
    axes = round(size), round(size * random.uniform(0.6, 1.0))
    x, y = (int(at) for at in random.integers(22, SIDE - 22, 2))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    return cv2.ellipse(mask, (x, y), axes, random.uniform(0, 180), 0, 360, 1, -1) > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["draw"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=40)
    options = parser.parse_args()
    draw(options.folder, options.photos)


if __name__ == "__main__":
    main()
