"""Gray picture -> only the ink: what was written, on a background of exactly zero.

    grey -> darkness relative to the paper -> how dark is ink? -> ruled lines erased
         -> connected pieces -> the digit's own -> ink

The order matters: if one speck is still there when the digit is cut out, a third of all answers are wrong,
and no training makes up for that.
"""

from typing import NamedTuple

import numpy as np

from service.preprocessing.cleaning import digit_pieces, erase_lines
from service.preprocessing.components import Components
from service.preprocessing.errors import BlankImageError
from service.preprocessing.levels import ascending, median, median_distance, otsu_threshold
from service.preprocessing.paper import Contrast, even_darkness, ink_contrast
from service.preprocessing.trace import Trace, no_trace

# Less contrast than this, out of 255, is paper grain or compression, not writing.
MIN_CONTRAST = 12
# Ink must stand out from the paper by this many standard deviations of its noise.
MIN_SIGNAL_TO_NOISE = 3.0
MIN_EVEN_SIGNAL_TO_NOISE = 6.0


class Levels(NamedTuple):
    """Darkness in [0, 255] at which ink begins, is certain, and is full."""

    faint: float
    solid: float
    full: float


class Extracted(NamedTuple):
    """The ink of a digit, (height, width) float32 in [0, 1], background exactly 0.

    is_clear: whether the border of the picture shows which side is paper.
    """

    ink: np.ndarray
    is_clear: bool


def extract(grey: np.ndarray, trace: Trace = no_trace) -> Extracted:
    """Return the ink of the digit.

    grey: (height, width) float32 in [0, 255], dark on light or light on dark. trace: gets what was
    done. Raises BlankImageError if nothing stands out from the background.
    """
    (darkness, is_clear), levels = _contrast_and_levels(grey, trace)
    darkness = erase_lines(darkness, levels.faint, trace)
    return Extracted(digit_ink(darkness, levels, trace), is_clear)


def extract_ink(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray:
    """Return the ink of the digit, (height, width) float32 in [0, 1]: see `extract`."""
    return extract(grey, trace).ink


def digit_ink(darkness: np.ndarray, levels: Levels, trace: Trace = no_trace) -> np.ndarray:
    """Return the ink of the digit, (height, width) float32 in [0, 1], without other pieces.

    darkness: (height, width) float32. trace: gets what was dropped. Raises BlankImageError if nothing is
    left.
    """
    pieces = Components(darkness > levels.faint, darkness, above=levels.solid)
    keep = digit_pieces(pieces, trace)
    kept = np.count_nonzero(keep)
    if not kept:
        raise BlankImageError("Nothing in the image looks like writing. Send one with a digit on it.")
    ink = darkness - levels.faint
    ink *= 1 / (levels.full - levels.faint)
    ink.clip(0, 1, out=ink)
    if kept < len(keep):
        ink *= np.concatenate(([False], keep))[pieces.labels]
    return ink


def _contrast_and_levels(grey: np.ndarray, trace: Trace) -> tuple[Contrast, Levels]:
    """Return what stands out from the paper, and the levels of the ink in it."""
    steps: list[str] = []
    try:
        contrast = ink_contrast(grey, steps.append)
        levels = ink_levels(contrast.darkness, MIN_SIGNAL_TO_NOISE)
    except BlankImageError:
        # A tight crop shows too little paper to estimate its light, so use one level for all of it. A page
        # that is merely unevenly lit does not have two clear levels and stays blank.
        steps.clear()
        contrast = Contrast(even_darkness(grey, steps.append), is_clear=False)
        levels = ink_levels(contrast.darkness, MIN_EVEN_SIGNAL_TO_NOISE)
    for step in steps:
        trace(step)
    return contrast, levels


def ink_levels(darkness: np.ndarray, signal_to_noise: float) -> Levels:
    """Return the levels of a picture's ink; raises BlankImageError if the ink does not stand out.

    darkness: float32 relative to the paper, of any shape. signal_to_noise: the least contrast, in standard
    deviations of the paper's noise.
    """
    ordered = ascending(darkness)
    solid = otsu_threshold(ordered)
    bare = int(ordered.searchsorted(np.float32(solid), "right"))
    paper, writing = ordered[:bare], ordered[bare:]
    level = median(paper)
    noise = 1.4826 * median_distance(paper, level)
    full = median(writing) if writing.size else level
    contrast = full - level
    if contrast < max(MIN_CONTRAST, signal_to_noise * noise):
        raise BlankImageError(
            f"Ink and background differ by {contrast:.0f} of 255, with noise of {noise:.0f}. "
            "Send a picture with a digit on it, written more clearly."
        )
    faint = level + max(3 * noise, 0.15 * contrast)
    return Levels(min(faint, level + 0.7 * contrast), solid, full)
