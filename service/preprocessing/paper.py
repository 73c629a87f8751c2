"""Separating ink from paper: which side is the ink, and how bright the bare paper is everywhere.

grey -> one color all around? -> dark or light ink? -> paper's light -> darkness relative to it
     -> does ink touch the border? then the border does not show which side is paper
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from service.preprocessing.levels import ascending, median, otsu_threshold
from service.preprocessing.trace import Trace, no_trace

# A border within this many gray values is one color.
FLAT_RANGE = 2
# A border with more than this share on either side of the threshold does not decide which side is paper.
CLEAR_SHARE = 0.4
# Light that varies less than this, out of 255, is not worth mentioning.
UNEVEN_RANGE = 20
TURNED = "light ink on dark: turned over"
# Border pixels may differ by this much, out of 255, or in this share of them, before they look like ink.
TOUCHED_RANGE = 48
TOUCHED_SHARE = 0.04
# The paper's light is estimated on a grid this long; a neighborhood is a quarter of it, wider than
# any stroke, narrower than most shadows.
LIGHT_GRID = 48
REACH = LIGHT_GRID // 8 * 2 + 1
# Tiles of padding on each side, used up by a maximum over REACH, a minimum over REACH + 2 and a mean over 3.
ROOM = REACH // 2 + (REACH + 2) // 2 + 1


class Contrast(NamedTuple):
    """What stands out from the paper.

    darkness: (height, width) float32, how much darker than its paper each pixel is. Light ink on dark paper
    is inverted. Paper is around 0, with noise on either side. is_clear: whether the border shows which side
    is paper; it does not where ink touches it.
    """

    darkness: np.ndarray
    is_clear: bool


def ink_contrast(grey: np.ndarray, trace: Trace = no_trace) -> Contrast:
    """Return what stands out from the paper of a picture, (height, width) float32 in [0, 255].

    trace: gets what was done.
    """
    outermost = ascending(border(grey))
    tenth = outermost.size // 10
    if outermost[-1 - tenth] - outermost[tenth] <= FLAT_RANGE:
        contrast = outermost[outermost.size // 2] - grey  # one color all around must be the paper
        is_clear = bool(outermost[-1] - outermost[0] <= TOUCHED_RANGE)
        if contrast.sum() >= 0:
            return Contrast(contrast, is_clear)
        trace(TURNED)
        return Contrast(-contrast, is_clear)
    tiles = _coarse(grey)
    dark = _dark_side(tiles.astype(np.float32))
    share = _share(border(dark))
    is_clear = not TOUCHED_SHARE < share < 1 - TOUCHED_SHARE
    if background_is_dark(dark):
        trace(TURNED)
        grey, tiles = 255 - grey, 255 - tiles
    return Contrast(_relative_darkness(grey, tiles, trace), is_clear)


def ink_darkness(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray:
    """Return how much darker than its paper each pixel is, (height, width) float32: see `Contrast`."""
    return ink_contrast(grey, trace).darkness


def evened_darkness(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray | None:
    """Return how much darker than its paper each pixel of dark writing is, ignoring the border.

    None if the light is already even. trace: gets what was done.
    """
    steps: list[str] = []
    darkness = _relative_darkness(grey, _coarse(grey), steps.append)
    for step in steps:
        trace(step)
    return darkness if steps else None


def _relative_darkness(grey: np.ndarray, tiles: np.ndarray, trace: Trace) -> np.ndarray:
    """Return the share of the paper's light that is missing at each pixel, times 255, (height, width)."""
    light = paper_light(tiles, grey.shape).clip(1, 255)  # three times as fast as np.maximum
    if light.max() - light.min() > UNEVEN_RANGE + 0.01:
        trace("uneven light evened out")
    darkness = np.divide(grey, light, out=light)
    np.subtract(1, darkness, out=darkness)
    darkness *= 255
    return darkness


def even_darkness(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray:
    """Return how much darker than the paper each pixel is, (height, width) float32.

    The brightness of the paper is taken to be the same everywhere. grey: (height, width) float32 in
    [0, 255]. trace: gets what was done.
    """
    dark = grey < otsu_threshold(ascending(grey))
    if background_is_dark(dark):
        trace(TURNED)
        grey, dark = 255 - grey, ~dark
    return np.float32(median(ascending(grey[~dark]))) - grey if not dark.all() else np.zeros_like(grey)


def border(grey: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of a picture, (height, width), as one row."""
    return grey.take(_border_places(*grey.shape))


@lru_cache(maxsize=256)  # 8 kB each at most
def _border_places(height: int, width: int) -> np.ndarray:
    """Return the flat indices of a picture's outermost pixels."""
    places = np.arange(height * width).reshape(height, width)
    return np.concatenate((places[0], places[-1], places[1:-1, 0], places[1:-1, -1]))


def _dark_side(grey: np.ndarray) -> np.ndarray:
    """Return which pixels of a picture, (height, width) float32, are on the dark side, as bool.

    A curved surface is fitted and subtracted first, so that dark corners are not mistaken for dark paper.
    """
    terms, fit = _curved_surfaces(*grey.shape)
    flat = grey - (fit @ grey.reshape(-1) @ terms).reshape(grey.shape)
    return flat < otsu_threshold(ascending(flat))


@lru_cache(maxsize=64)
def _curved_surfaces(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the six terms of a second-degree surface and the matrix that fits it, (6, pixels) each.

    fit @ picture are the least-squares weights of the terms.
    """
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1)
    terms = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y))
    fit = np.linalg.solve(terms @ terms.T + 1e-3 * np.eye(6), terms)
    return terms.astype(np.float32), fit.astype(np.float32)


def background_is_dark(dark: np.ndarray) -> bool:
    """Return whether the paper is the dark side, from a (height, width) bool of what is dark.

    The border decides; if a tight crop leaves it half ink, the larger side is the paper.
    """
    share = _share(border(dark))
    if CLEAR_SHARE < share < 1 - CLEAR_SHARE:
        share = _share(dark)
    return share > 0.5


def _share(mask: np.ndarray) -> float:
    """Return the share of a mask that is set; ndarray.mean takes four times as long."""
    return np.count_nonzero(mask) / mask.size


def paper_light(tiles: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the brightness of the bare paper at each pixel, (height, width) float32 in [0, 255].

    tiles: (rows, columns) uint8, the picture averaged to a grid. The light is a gray-scale closing (Serra
    1982) of it: strokes are narrower than the neighborhood and vanish, shadows are wider and stay.
    """
    rows, columns = (_continuation(length) for length in tiles.shape)
    wide = (rows @ tiles.astype(np.float32) @ columns.T).clip(0, 255).astype(np.uint8)
    light = _extreme(wide, REACH, np.maximum)
    for lines, length in ((light, tiles.shape[0]), (light.T, tiles.shape[1])):
        unknown = max(0, ROOM - REACH // 2 - _known(length))  # of a narrow picture
        lines[:unknown] = lines[len(lines) - unknown :] = 255  # never the minimum
    # One tile further down than up, so that the soft edge of a shadow does not look like a stroke.
    light = _smoothed(_extreme(light, REACH + 2, np.minimum)).astype(np.float32)
    rows, columns = (_stretching(length, target) for length, target in zip(tiles.shape, shape, strict=True))
    brightest = light.max()  # evenly lit paper differs from it by exactly 0
    return brightest - rows @ (brightest - light) @ columns.T


def _known(length: int) -> int:
    """Return how many tiles can be added on either side of a row of `length` by mirroring it."""
    return min(REACH, length - 1)


@lru_cache(maxsize=LIGHT_GRID)
def _continuation(length: int) -> np.ndarray:
    """Return the matrix, (ROOM + length + ROOM, length) float32, that continues a row of tiles.

    Beyond its edge a row continues its trend: each added tile is twice the edge minus the tile that lies as
    far inside. A plain closing would brighten the corners. Where no such tile is left, the value is 0, which
    is never the maximum.
    """
    first, last = ROOM, ROOM + length - 1
    matrix = np.zeros((last + 1 + ROOM, length), np.float32)
    np.fill_diagonal(matrix[first:], 1)
    for step in range(1, _known(length) + 1):
        matrix[first - step, [0, step]] = 2, -1
        matrix[last + step, [-1, -1 - step]] = 2, -1
    matrix.flags.writeable = False  # shared by all pictures as high or as wide
    return matrix


@lru_cache(maxsize=256)  # 48 kB each at most
def _stretching(length: int, target: int) -> np.ndarray:
    """Return the matrix, (target, length) float32, that stretches a row of tiles to pixels.

    It is Pillow's bilinear resize of each single tile; resizing every picture with Pillow takes longer.
    """
    tiles = Image.fromarray(np.eye(length, dtype=np.float32))
    matrix = np.array(tiles.resize((length, target), Image.Resampling.BILINEAR))
    matrix.flags.writeable = False  # shared by all pictures as high or as wide
    return matrix


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Return the mean of three neighbors along the rows, and of three of these along the columns.

    values: (height + 2, width + 2) uint8; the means, (height, width), are rounded.
    """
    for _ in range(2):
        values = values.T.astype(np.uint16)
        values = (values[:-2] + values[1:-1] + values[2:] + 1) // 3
    return values


def _extreme(values: np.ndarray, reach: int, extreme: np.ufunc) -> np.ndarray:
    """Return np.maximum or np.minimum over each reach x reach pixels that lie within `values`.

    The span doubles in each round: two spans of half the length make one. Van Herk's method (1992) is slower
    at this size.
    """
    for _ in range(2):
        span = 1
        while 2 * span <= reach:
            values = extreme(values[:-span], values[span:])
            span *= 2
        rest = reach - span
        values = extreme(values[: len(values) - rest], values[rest:]).T
    return values


def _coarse(grey: np.ndarray) -> np.ndarray:
    """Return the picture averaged to a grid, uint8 (rounded down), whose longer side has LIGHT_GRID tiles."""
    height, width = grey.shape
    tile = max(height, width) / LIGHT_GRID
    size = (max(1, round(width / tile)), max(1, round(height / tile)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX)).astype(np.uint8)
