"""The first readings of a picture.

grey -> ready-made? ------------------------------------------> one reading
     -> extract: ink and paper differ along the border --------> one reading
                 ink touches the border ------------------------> and those in cut_outs.py
"""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from service.preprocessing.errors import BlankImageError
from service.preprocessing.ink import extract
from service.preprocessing.normalization import Geometry
from service.preprocessing.pipeline import already_normal, frame
from service.preprocessing.readings import cut_outs
from service.preprocessing.trace import LeftOut, Trace

Read = Callable[[np.ndarray, Trace], np.ndarray | None]
CLEAN: tuple[Read, ...] = (cut_outs.dark_ink, cut_outs.light_ink, cut_outs.striped_paper)
UNCLEAN: tuple[Read, ...] = (
    *CLEAN,
    cut_outs.dark_ink_in_uneven_light,
    cut_outs.light_ink_in_uneven_light,
)


class Reading(NamedTuple):
    """What a network would see of a picture under one assumption.

    pixels: (side * side,) float32 in [0, 1], ink near 1 and background exactly 0. steps: what was done to the
    picture, in words. is_guess: whether it assumes so much that the picture cannot be accepted as a digit.
    is_ready_made: whether the picture needed no change. has_left_out: whether ink was dropped or erased that
    may be another digit.
    """

    pixels: np.ndarray
    steps: tuple[str, ...] = ()
    is_guess: bool = False
    is_ready_made: bool = False
    has_left_out: bool = False


def read_grey(grey: np.ndarray, geometry: Geometry) -> list[Reading]:
    """Return the readings of a decoded picture, the most likely one first; most pictures have only one.

    grey: (height, width), uint8 or float32 in [0, 255], dark on light or light on dark. Raises
    BlankImageError if there is none.
    """
    grey = np.asarray(grey, np.float32)
    steps: list[str] = []
    ready = already_normal(grey, geometry, steps.append)
    if ready is not None:
        return [Reading(ready, tuple(steps), is_ready_made=True)]
    try:
        ink, is_clear = extract(grey, steps.append)
    except BlankImageError:
        readings = _touching_readings(grey, geometry)
        if not readings:
            raise
        return readings
    if is_clear:
        return [framed(ink, geometry, steps)]
    if cut_outs.is_clean(grey):
        return _touching_readings(grey, geometry) or [framed(ink, geometry, steps)]
    return [framed(ink, geometry, steps), *_touching_readings(grey, geometry)]


def _touching_readings(grey: np.ndarray, geometry: Geometry) -> list[Reading]:
    """Return the readings of a picture, (height, width) float32, whose border is touched by ink."""
    readings = []
    for read in CLEAN if cut_outs.is_clean(grey) else UNCLEAN:
        steps: list[str] = []
        with contextlib.suppress(BlankImageError):
            ink = read(grey, steps.append)
            if ink is not None:
                readings.append(framed(ink, geometry, steps))
    return readings


def framed(ink: np.ndarray, geometry: Geometry, steps: list[str]) -> Reading:
    """Return the reading of ink, (height, width) float32 in [0, 1]; steps: what was done so far."""
    pixels = frame(ink, geometry, steps.append)
    return Reading(pixels, tuple(steps), has_left_out=any(isinstance(step, LeftOut) for step in steps))
