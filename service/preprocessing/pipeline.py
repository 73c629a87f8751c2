"""From the bytes of an image to the pixels that a network sees.

    bytes -> decode -> grey -> already_normal? -> pixels
                            -> extract_ink -> ink -> frame: soften, normalize -> pixels

This is one reading of a picture. If its border leaves open what is ink and what is paper, there are
others (service/preprocessing/readings). Service, trainer and evaluation all use this pipeline.
"""

import numpy as np

from service.preprocessing.decoding import DEFAULT_MAX_PIXELS, decode
from service.preprocessing.edges import has_hard_edges, soften
from service.preprocessing.ink import extract_ink
from service.preprocessing.levels import ascending, median
from service.preprocessing.normalization import Geometry, is_normal, normalize
from service.preprocessing.paper import border
from service.preprocessing.trace import Trace, no_trace


def preprocess(
    data: bytes,
    geometry: Geometry,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    steps: list[str] | None = None,
) -> np.ndarray:
    """Return pixels, (side * side,) float32, ink near 1 and background exactly 0.

    data: the bytes of an image file. steps: gets a sentence for each step taken, even if an error ended
    it. Raises an ImageError: EmptyImageError,
    UnsupportedFormatError, TooManyPixelsError, BrokenImageError or BlankImageError.
    """
    trace = no_trace if steps is None else steps.append
    return preprocess_grey(decode(data, max_pixels, trace), geometry, trace)


def preprocess_grey(grey: np.ndarray, geometry: Geometry, trace: Trace = no_trace) -> np.ndarray:
    """Return pixels, (side * side,) float32, of a decoded picture.

    grey: (height, width), uint8 or float32 in [0, 255], dark on light or light on dark. trace: gets
    what was done. Raises BlankImageError.
    """
    grey = np.asarray(grey, np.float32)
    ready = already_normal(grey, geometry, trace)
    return ready if ready is not None else frame(extract_ink(grey, trace), geometry, trace)


def frame(ink: np.ndarray, geometry: Geometry, trace: Trace = no_trace) -> np.ndarray:
    """Return pixels, (side * side,) float32, of ink, (height, width) float32 in [0, 1], background 0."""
    if geometry.margin and has_hard_edges(ink):
        trace("only black and white: edges softened")
        ink = soften(ink)
    trace(f"cut out and scaled to fit {geometry.digit_side} x {geometry.digit_side} pixels")
    if geometry.margin:
        trace(f"centered by its mass in {geometry.side} x {geometry.side}")
    elif ink.shape != (geometry.side, geometry.side):
        trace("set upright, with strokes as bold as those of the 8x8 digits")
    return normalize(ink[None], geometry)[0]


def already_normal(grey: np.ndarray, geometry: Geometry, trace: Trace = no_trace) -> np.ndarray | None:
    """Return the pixels, (side * side,), of a picture that already is what `normalize` makes, else None.

    grey: (height, width) float32 in [0, 255]. Such a picture, like any of MNIST, has been cleaned before;
    looking for specks and shadows in it could only remove ink.
    """
    if grey.shape != (geometry.side, geometry.side):
        return None
    ink = (grey if median(ascending(border(grey))) < 128 else 255 - grey) / 255
    if not is_normal(ink, geometry):
        return None
    has_paper = geometry.margin or ink.min() <= 0  # a digit smaller than its frame has some around it
    if not has_paper:
        return None
    trace("ink taken as it is: already cut out, scaled and centered")
    return ink.reshape(-1)
