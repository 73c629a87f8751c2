"""Slopes by central differences, for checking gradients that were derived on paper."""

from collections.abc import Callable

import numpy as np

STEP = 1e-6


def central_differences(loss: Callable[[], float], values: np.ndarray) -> np.ndarray:
    """Return d loss / d values, float64; `values` is changed one entry at a time and put back."""
    flat = values.reshape(-1)
    slopes = np.empty(len(flat))
    for index, value in enumerate(flat):
        flat[index] = value + STEP
        above = loss()
        flat[index] = value - STEP
        below = loss()
        flat[index] = value
        slopes[index] = (above - below) / (2 * STEP)
    return slopes.reshape(values.shape)


def assert_gradient(found: np.ndarray, numeric: np.ndarray) -> None:
    """Fail where a gradient is off by more than the differences themselves are, and show both numbers."""
    wrong = np.abs(found - numeric) > 1e-7 + 1e-6 * np.abs(numeric)
    lines = [
        f"at {place}: derived {found[tuple(place)]:.12g}, by differences {numeric[tuple(place)]:.12g}"
        for place in np.argwhere(wrong)[:10].tolist()
    ]
    assert not wrong.any(), "\n".join([f"{wrong.sum()} of {wrong.size} wrong", *lines])
