"""Ruled lines are erased, and only these."""

import numpy as np
import pytest

from service.preprocessing.cleaning import erase_lines

SIDE = 100


def line(start: int, end: int) -> np.ndarray:
    """Return darkness, (SIDE, SIDE), of a thin line along a row between two columns."""
    darkness = np.zeros((SIDE, SIDE), np.float32)
    darkness[40:42, start:end] = 90
    return darkness


def erased(darkness: np.ndarray) -> tuple[np.ndarray, list[str]]:
    steps: list[str] = []
    return erase_lines(darkness, 20, steps.append), steps


@pytest.mark.parametrize("turn", [0, 1])
def test_a_line_from_edge_to_edge_is_erased(turn):
    left, steps = erased(np.rot90(line(0, SIDE), turn))
    assert not left.any()
    assert steps == ["ruled lines erased"]


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize(("start", "end"), [(0, 97), (2, 98), (0, 50)])
def test_a_line_that_ends_before_an_edge_stays(start, end, turn):
    darkness = np.rot90(line(start, end), turn)
    left, steps = erased(darkness)
    np.testing.assert_array_equal(left, darkness)
    assert not steps


def test_lines_both_ways_are_erased_together():
    left, _ = erased(np.maximum(line(0, SIDE), line(0, SIDE).T))
    assert np.count_nonzero(left) <= 4  # where they cross, the ink is thick


def test_a_stroke_across_a_line_stays():
    darkness = line(0, SIDE)
    darkness[20:80, 50:56] = 200
    left, _ = erased(darkness)
    np.testing.assert_array_equal(left[20:80, 50:56], 200)
    assert not left[:, :49].any()
    assert not left[:, 57:].any()


def test_in_a_small_picture_a_line_is_a_stroke():
    small = line(0, SIDE)[20:67]
    assert erased(small)[0] is small


@pytest.mark.parametrize("turn", [0, 1])
def test_a_line_that_climbs_and_fades_is_erased(turn):
    climbing = np.zeros((SIDE, SIDE), np.float32)
    climbing[40, :44] = climbing[41, 54:90] = climbing[42, 94:] = 90
    left, _ = erased(np.rot90(climbing, turn))
    assert not left.any()


def test_dashes_far_apart_stay():
    dashes = line(0, SIDE)
    dashes[:, 20:40] = dashes[:, 60:80] = 0
    np.testing.assert_array_equal(erased(dashes)[0], dashes)


@pytest.mark.parametrize(("dash", "gap", "is_line"), [(8, 10, False), (20, 4, True)])
def test_dashes_that_leave_much_paper_stay(dash, gap, is_line):
    dashes = line(0, SIDE)
    for start in range(dash, SIDE - dash, dash + gap):
        dashes[:, start : start + gap] = 0
    left, _ = erased(dashes)
    assert left.any() == (not is_line)
