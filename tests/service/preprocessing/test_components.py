"""Connected pieces of a mask, compared with a flood fill written the slow way."""

import numpy as np
import pytest

from service.preprocessing.components import Components


def flood_fill(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """Return the 8-connected pieces as sets of (row, column): plain Python, no shared code."""
    left = {(int(row), int(column)) for row, column in zip(*np.nonzero(mask), strict=True)}
    pieces = []
    while left:
        piece, border = set(), [left.pop()]
        while border:
            row, column = border.pop()
            piece.add((row, column))
            around = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= around
            border.extend(around)
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize("density", [0.1, 0.4, 0.6, 0.95])
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (13, 17), (40, 25)])
def test_pieces_are_those_of_a_flood_fill(shape, density):
    rng = np.random.default_rng(7)
    mask = rng.random(shape) < density
    found = Components(mask, mask.astype(np.float32))
    expected = {frozenset(piece) for piece in flood_fill(mask)}
    labelled = {
        frozenset(zip(*map(list, np.nonzero(found.labels == label)), strict=True))
        for label in range(1, len(found.mass) + 1)
    }
    assert {frozenset((int(r), int(c)) for r, c in piece) for piece in labelled} == expected
    assert (found.labels[~mask] == 0).all()


def test_a_spiral_is_one_piece():
    mask = np.zeros((41, 41), bool)
    for ring in range(0, 20, 2):
        mask[ring, ring : 41 - ring] = mask[40 - ring, ring : 41 - ring] = True
        mask[ring : 41 - ring, ring] = mask[ring : 41 - ring, 40 - ring] = True
        mask[ring + 1, ring] = False  # cut each ring and lead it into the next
        mask[ring + 2, ring + 1] = True
    assert len(Components(mask, mask.astype(np.float32)).mass) == len(flood_fill(mask))


def test_box_and_mass_of_each_piece_are_right():
    mask = np.zeros((6, 9), bool)
    mask[1:3, 1:4] = True
    mask[4, 7] = True
    ink = np.where(mask, np.float32(0.5), np.float32(0))
    found = Components(mask, ink)
    np.testing.assert_allclose(found.mass, [3.0, 0.5])
    assert list(zip(*found.boxes, strict=True)) == [(1, 3, 1, 4), (4, 5, 7, 8)]


@pytest.mark.parametrize("pieces", [1, 2])
def test_mass_counts_only_what_is_above_a_level(pieces):
    mask = np.zeros((5, 12), bool)
    mask[1:3, 1:4] = mask[3, 6 : 5 + pieces] = True
    ink = np.where(mask, np.float32(0.5), np.float32(9))
    ink[1, 2] = 0.75
    found = Components(mask, ink, above=0.5)
    assert found.mass.tolist() == [0.75, 0][:pieces]


def test_an_empty_mask_has_no_pieces():
    found = Components(np.zeros((5, 5), bool), np.zeros((5, 5), np.float32))
    assert len(found.mass) == 0
    assert not found.labels.any()
