"""Filling strokes that are drawn only as outlines.

ink -> 28 x 28 -> thin? -> narrow gaps closed ----------------------------> ink
                        -> regions between the lines -> every second one -> ink
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFilter

from service.preprocessing.components import Components
from service.preprocessing.normalization import MNIST_GEOMETRY, normalize

# A picture counts as thin, as if drawn in outlines, if removing everything under three pixels thick leaves at
# most this share of its ink.
THICK_SHARE = 0.03
# Outlines this far apart, in pixels of MNIST's frame, belong to one stroke.
STROKE = 3
FINE = 3  # cells per pixel on each axis, so that a narrow region between two lines is not lost
INKED = 0.3


def filled(ink: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield ink, (height, width) float32 in [0, 1], whose outlines have been filled, if it is thin enough."""
    side = MNIST_GEOMETRY.side
    pixels = normalize(ink[None], MNIST_GEOMETRY).reshape(side, side)
    small = Image.fromarray(np.rint(255 * pixels).astype(np.uint8))
    thick = np.asarray(small.filter(ImageFilter.MinFilter(3)), np.float32)
    if thick.sum() > THICK_SHARE * np.asarray(small, np.float32).sum():
        return
    # A gray-scale closing (Serra 1982): what lies between two lines close together becomes ink.
    closed = small.filter(ImageFilter.MaxFilter(STROKE)).filter(ImageFilter.MinFilter(STROKE))
    yield "outlines filled", np.asarray(closed, np.float32) / np.float32(255)
    inside = between_lines(np.asarray(small) > 255 * INKED)
    if inside is not None:
        yield "outlines filled", inside


def between_lines(lines: np.ndarray) -> np.ndarray | None:
    """Return the regions inside closed outlines, or None if there are none.

    lines: (height, width) bool. The result is float32, 0 or 1, and FINE times as large along each axis. As in
    the even-odd rule of vector graphics, a region within a region is outside again: the hole of a 0.
    """
    cells = np.kron(lines, np.ones((FINE, FINE), bool))
    walls = _grown(cells, 3)  # so that no region leaks out between two pixels that touch by a corner
    regions, parts = (Components(mask, mask.astype(np.float32)).labels for mask in (~walls, walls))
    count = int(regions.max())
    beside = [
        set(np.unique(parts[_grown(regions == one, 3) & walls]).tolist()) for one in range(1, count + 1)
    ]
    seen, outer = {int(regions[0, 0])}, {int(regions[0, 0])}
    inked: set[int] = set()
    is_inside = False
    while outer:
        is_inside = not is_inside
        reached = set().union(*(beside[one - 1] for one in outer))
        outer = {one for one in range(1, count + 1) if one not in seen and beside[one - 1] & reached}
        seen |= outer
        inked |= outer if is_inside else set()
    if not inked:
        return None
    return _grown(np.isin(regions, list(inked)), 5).astype(np.float32)


def _grown(mask: np.ndarray, reach: int) -> np.ndarray:
    """Return the mask dilated by a square of reach x reach cells."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).filter(ImageFilter.MaxFilter(reach)), bool)
