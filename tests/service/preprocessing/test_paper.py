"""Levels of a picture and the light on its paper, compared with the same written the slow way."""

import numpy as np
import pytest

from service.preprocessing.levels import ascending, median, median_distance, otsu_threshold
from service.preprocessing.paper import paper_light

RNG = np.random.default_rng(5)


def rows_of_values() -> list[np.ndarray]:
    """Return ascending rows of float32: of each small size and some large, with many ties and with none."""
    sizes = [*range(1, 30), 784, 999, 1000]
    spread = [RNG.normal(0, 20, size) for size in sizes]
    tied = [RNG.integers(0, 6, size) for size in sizes]
    lopsided = [RNG.exponential(3, size) ** 2 for size in sizes]
    return [np.sort(row.astype(np.float32)) for row in (*spread, *tied, *lopsided)]


@pytest.mark.parametrize("ordered", rows_of_values(), ids=lambda row: f"{row.size} values")
def test_the_median_is_numpys(ordered):
    assert median(ordered) == np.median(ordered.astype(np.float64))


@pytest.mark.parametrize("ordered", rows_of_values(), ids=lambda row: f"{row.size} values")
def test_the_median_distance_is_that_of_all_distances_sorted(ordered):
    level = median(ordered)
    distances = np.abs(ordered - np.float32(level))
    assert median_distance(ordered, level) == np.median(distances.astype(np.float64))


@pytest.mark.parametrize("size", [1, 2, 3, 40])
@pytest.mark.parametrize("value", [0.0, -0.0, 1e-3, 250.0])
def test_the_median_distance_of_equal_values_is_unsigned_zero(value, size):
    values = np.full(size, value, np.float32)
    assert str(median_distance(values, value)) == "0.0"


def test_the_median_distance_of_signed_zeros_is_unsigned_zero():
    values = np.array([0.0, -0.0, 0.0], np.float32)
    assert str(median_distance(values, -0.0)) == "0.0"


def test_ascending_copies_values_of_any_shape_into_one_row():
    picture = RNG.random((7, 9), dtype=np.float32)
    before = picture.copy()
    assert ascending(picture.T).tolist() == sorted(picture.reshape(-1).tolist())
    np.testing.assert_array_equal(picture, before)


def furthest_apart(values: np.ndarray) -> float:
    """Return Otsu's variance between the two classes, for each of 255 places to cut 256 bins; the best."""
    lowest, highest = values.min(), values.max()
    bins = ((values - lowest) * (255.99 / (highest - lowest))).astype(int)
    spreads = []
    for edge in range(1, 256):
        below, above = bins[bins < edge], bins[bins >= edge]
        spreads.append(below.size * above.size * (below.mean() - above.mean()) ** 2)
    best = np.flatnonzero(np.array(spreads) >= max(spreads) * (1 - 1e-9))
    return float(lowest + (best[0] + best[-1] + 2) / 2 * (highest - lowest) / 256)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9])
def test_the_threshold_splits_into_the_classes_furthest_apart(share):
    ink = RNG.random(500) < share
    values = (np.where(ink, 180, 20) + RNG.normal(0, 12, 500)).astype(np.float32)
    assert otsu_threshold(np.sort(values)) == pytest.approx(furthest_apart(values), abs=1e-4)


def closed(tiles: np.ndarray) -> np.ndarray:
    """Return what `paper_light` makes of tiles at their own size, tile by tile in plain Python."""
    rows, columns = tiles.shape
    reach, (down, across) = 13, (min(13, length - 1) for length in tiles.shape)

    def line(values: list[int], room: int) -> list[int]:
        before = [2 * values[0] - values[step] for step in range(room, 0, -1)]
        return before + values + [2 * values[-1] - values[-1 - step] for step in range(1, room + 1)]

    def around(picture: list[list[int]], half: int, choose) -> list[list[int]]:
        height, width = len(picture), len(picture[0])
        return [
            [
                choose(
                    picture[i][j]
                    for i in range(max(0, y - half), min(height, y + half + 1))
                    for j in range(max(0, x - half), min(width, x + half + 1))
                )
                for x in range(width)
            ]
            for y in range(height)
        ]

    def turned(picture: list[list[int]]) -> list[list[int]]:
        return [list(column) for column in zip(*picture, strict=True)]

    def smoothed(picture: list[list[int]]) -> list[list[int]]:
        return [
            [(row[max(x - 1, 0)] + row[x] + row[min(x + 1, len(row) - 1)] + 1) // 3 for x in range(len(row))]
            for row in picture
        ]

    wide = turned([line(column, down) for column in turned(tiles.tolist())])
    wide = [[min(max(value, 0), 255) for value in line(row, across)] for row in wide]
    light = around(around(wide, reach // 2, max), (reach + 2) // 2, min)
    light = turned(smoothed(turned(smoothed(light))))
    return np.array(light)[down : down + rows, across : across + columns]


@pytest.mark.parametrize("shape", [(48, 48), (48, 31), (20, 48), (48, 13), (7, 48), (2, 48), (48, 1), (1, 1)])
@pytest.mark.parametrize("kind", ["noise", "slope", "strokes"])
def test_the_light_on_paper_is_a_closing_of_the_tiles(shape, kind):
    slope = np.add.outer(np.linspace(90, 230, shape[0]), np.linspace(0, 25, shape[1]))
    tiles = {
        "noise": RNG.integers(0, 256, shape),
        "slope": slope,
        "strokes": slope * np.where(RNG.random(shape) < 0.1, 0.3, 1),
    }[kind].astype(np.uint8)
    np.testing.assert_array_equal(paper_light(tiles, shape), closed(tiles))
