"""Scenes that the tracker was not tuned on: drawn at random, of other kinds than those that it was.

Change nothing in the tracker for their sake; draw others instead.
"""

import numpy as np

from tests.support.simulated_tracks import (
    COLORS,
    SIZE,
    TEAL,
    WHITE,
    Actor,
    Path,
    Scene,
    bounce,
    during,
    line,
)

SHAPES = ("disc", "box", "star")


def wave(
    x: float, y: float, dx: float, *, rise: float, pace: float, phase: float, side: float
) -> Path:
    """A sine wave, slightly changing in size."""

    def path(index: int) -> tuple[float, float, float, float]:
        here = side * (1 + 0.15 * np.sin(0.7 * pace * index + phase))
        return x + dx * index, y + rise * np.sin(pace * index + phase), here, here

    return path


def waves(seed: int) -> Scene:
    """Curved paths that cross in twos and threes."""
    random = np.random.default_rng(seed)
    actors = tuple(
        Actor(
            wave(
                *(random.uniform(0, 640), random.uniform(90, 270), random.uniform(-5, 5)),
                rise=random.uniform(20, 80),
                pace=random.uniform(0.05, 0.2),
                phase=random.uniform(0, 6),
                side=random.uniform(50, 100),
            ),
            COLORS[number],
            SHAPES[number % 3],
            label=1 + number % 2,
        )
        for number in range(6)
    )
    return Scene("waves", actors)


def fence(seed: int) -> Scene:
    """All actors pass behind several posts."""
    random = np.random.default_rng(seed)
    walkers = [
        Actor(
            line(
                *(random.uniform(0, 640), 70 + 70 * number),
                *(random.choice([-1, 1]) * random.uniform(2, 7), random.uniform(-0.4, 0.4)),
                *random.uniform(50, 80, 2),
            ),
            COLORS[number],
            SHAPES[number % 3],
        )
        for number in range(4)
    ]
    posts = [
        Actor(line(x, 180, 0, 0, 50, 360), WHITE, "box", prop=True) for x in (110, 270, 420, 570)
    ]
    return Scene("fence", (*walkers, *posts), frames=100)


def door(seed: int) -> Scene:
    """Actors that turn back behind a wall, or leave the frame and return."""
    random = np.random.default_rng(seed)

    def back(x: float, y: float, dx: float, at: int, wait: int, side: float) -> Path:
        def path(index: int) -> tuple[float, float, float, float]:
            gone = min(index, at) - max(0, index - at - wait)
            return x + dx * gone, y, side, side

        return path

    actors = [
        Actor(
            back(
                *(random.uniform(60, 200), 80 + 95 * number, random.uniform(6, 9)),
                *(int(random.uniform(28, 34)), int(random.uniform(0, 8)), random.uniform(60, 85)),
            ),
            COLORS[(2 * number + 1) % 8],
            SHAPES[number % 3],
        )
        for number in range(3)
    ]
    leaver = Actor(
        back(120, 300, -7.0, int(random.uniform(26, 32)), int(random.uniform(0, 8)), 70), COLORS[0]
    )
    wall = Actor(line(400, 140, 0, 0, 200, 280), WHITE, "box", prop=True)
    return Scene("door", (*actors, leaver, wall), frames=100)


def rush(seed: int) -> Scene:
    """Fast actors among slow ones, reflected at the edges."""
    random = np.random.default_rng(seed)
    actors = tuple(
        Actor(
            bounce(*random.uniform(50, 300, 2), *velocity, side=random.uniform(50, 90)),
            COLORS[number],
            SHAPES[number % 3],
        )
        for number, velocity in enumerate(
            [*random.uniform(-28, 28, (4, 2)), *random.uniform(-3, 3, (2, 2))]
        )
    )
    return Scene("rush", actors)


def shots(seed: int) -> Scene:
    """Shots of 25 frames with different contents in the same colours."""
    random = np.random.default_rng(seed)
    actors = [
        Actor(
            during(25 * shot, 25 * shot + 25, line(x - 25 * shot * dx, y, dx, 0, side, side)),
            COLORS[number],
            SHAPES[number % 3],
        )
        for shot in range(4)
        for number, (x, y, dx, side) in enumerate(
            zip(
                *(random.uniform(80, 560, 3), (80, 180, 280)),
                *(random.uniform(-4, 4, 3), random.uniform(60, 100, 3)),
                strict=True,
            )
        )
    ]
    return Scene("shots", tuple(actors), 100, shot=25)


def twins(seed: int) -> Scene:
    """Equal stars on random paths."""
    random = np.random.default_rng(seed)
    paths = [
        bounce(*random.uniform(60, 300, 2), *random.normal(0, 4, 2), side=60) for _ in range(6)
    ]
    return Scene("twins", tuple(Actor(path, TEAL, "star") for path in paths))


def pairs(seed: int) -> Scene:
    """Pairs that overlap by half all the way, which invites merging."""
    random = np.random.default_rng(seed)
    actors = []
    for number in range(3):
        x, y, dx = random.uniform(80, 500), 80 + 100 * number, random.uniform(-4, 4)
        near = random.uniform(35, 50)
        actors.append(Actor(line(x, y, dx, 0, 70, 80), COLORS[number], "box"))
        actors.append(
            Actor(
                wave(x + near, y + 5, dx, rise=8, pace=0.15, phase=number, side=66),
                COLORS[7 - number],
                "disc",
            )
        )
    return Scene("pairs", tuple(actors))


def throng(seed: int) -> Scene:
    random = np.random.default_rng(seed)
    actors = tuple(
        Actor(
            bounce(*random.uniform(60, 300, 2), *random.normal(0, 5, 2), side=side),
            COLORS[int(random.integers(8))],
            SHAPES[int(random.integers(3))],
            label=1 + number % 3,
        )
        for number, side in enumerate(random.uniform(30, 80, 18))
    )
    return Scene("throng", actors)


def held_out(seed: int) -> list[Scene]:
    """One scene of each kind; each seed draws others."""
    assert SIZE == (360, 640)
    return [make(seed) for make in (waves, fence, door, rush, shots, twins, pairs, throng)]
