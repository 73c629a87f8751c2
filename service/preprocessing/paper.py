"""Telling ink from paper: which side is the ink, and how bright the bare paper is everywhere.

grey -> one colour around? -> dark or light ink? -> paper's light -> darkness relative to it
"""

from functools import lru_cache

import numpy as np
from PIL import Image

from service.preprocessing.trace import Trace, no_trace

# A border within this many grey values is one colour.
FLAT_RANGE = 2
# With more of the border than this on either side of the threshold, it does not tell paper from ink.
CLEAR_SHARE = 0.4
# Paper whose light varies less than this, of 255, is not worth a word.
UNEVEN_RANGE = 20
TURNED = "light ink on dark: turned over"
# Where the bins of a histogram from 0 to 256 meet.
_EDGES = np.arange(1, 256, dtype=np.float32)
# The paper's light is estimated on a grid this long; a neighbourhood is a quarter of it, wider than
# any stroke, narrower than most shadows.
LIGHT_GRID = 48
REACH = LIGHT_GRID // 8 * 2 + 1
# Tiles around the picture that two neighbourhoods, the second of REACH + 2, and a mean of three use up.
ROOM = REACH // 2 + (REACH + 2) // 2 + 1


def ink_darkness(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray:
    """Return how much darker than its paper each pixel is, (height, width) float32.

    Light ink on dark counts as dark ink on light. Paper is around 0, with its noise on either side.
    trace: gets what was done.
    """
    outermost = ascending(border(grey))
    tenth = outermost.size // 10
    if outermost[-1 - tenth] - outermost[tenth] <= FLAT_RANGE:
        contrast = outermost[outermost.size // 2] - grey  # one colour all around: that is the paper
        if contrast.sum() >= 0:
            return contrast
        trace(TURNED)
        return -contrast
    tiles = _coarse(grey)
    if is_light_on_dark(tiles.astype(np.float32)):
        trace(TURNED)
        grey, tiles = 255 - grey, 255 - tiles
    light = paper_light(tiles, grey.shape).clip(1, 255)  # np.maximum takes three times as long
    if light.max() - light.min() > UNEVEN_RANGE + 0.01:
        trace("uneven light evened out")
    darkness = np.divide(grey, light, out=light)
    np.subtract(1, darkness, out=darkness)
    darkness *= 255
    return darkness


def even_darkness(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray:
    """Return how much darker than one common level of the paper each pixel is, float32.

    trace: gets what was done.
    """
    dark = grey < otsu_threshold(ascending(grey))
    if background_is_dark(dark):
        trace(TURNED)
        grey, dark = 255 - grey, ~dark
    return np.float32(median(ascending(grey[~dark]))) - grey if not dark.all() else np.zeros_like(grey)


def ascending(values: np.ndarray) -> np.ndarray:
    """Return the values of an array of any shape in one ascending row.

    NumPy sorts float32 with vector instructions, quicker than it finds one median by np.partition;
    and all of a picture's levels can be read off the one row.
    """
    ordered = values.flatten()
    ordered.sort()
    return ordered


def median(ordered: np.ndarray) -> float:
    """Return the median of at least one value, in ascending order."""
    middle = ordered.size // 2
    if ordered.size % 2:
        return float(ordered[middle])
    return (float(ordered[middle - 1]) + float(ordered[middle])) / 2


def median_distance(ordered: np.ndarray, level: float) -> float:
    """Return the median of abs(ordered - level).

    ordered: at least one value, ascending; level: their median. So the distances fall to the middle
    and rise again. Of each two that lie half of all values apart, the nearer belongs to the nearer
    half (Batcher 1968, "Sorting networks and their applications": a bitonic row falls apart in two),
    and the median lies where those on the left begin to be the nearer ones. No need to sort again.
    """
    half = ordered.size // 2
    quarter = (ordered.size - 1) // 4
    if not half or ordered[quarter] == ordered[-1 - quarter]:  # even paper: more than half lie at the level
        return 0.0
    left, right = level - ordered[:half], ordered[-half:] - level
    change = np.count_nonzero(left > right)
    beside = slice(max(change - 1, 0), change + 1)
    around = sorted(left[beside].tolist() + right[beside].tolist())  # two, or four
    middle = len(around) // 2
    if ordered.size % 2:  # the value in the middle of all is nearest, and was left out
        return abs(around[middle - 1])
    return abs(around[middle - 1] + around[middle]) / 2  # abs: -0.0 would be told as it is


def border(grey: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of a picture, (height, width), as one row."""
    return grey.take(_border_places(*grey.shape))


@lru_cache(maxsize=256)  # of 8 kB at most
def _border_places(height: int, width: int) -> np.ndarray:
    """Return where the outermost pixels of a picture are in one row of all."""
    places = np.arange(height * width).reshape(height, width)
    return np.concatenate((places[0], places[-1], places[1:-1, 0], places[1:-1, -1]))


def is_light_on_dark(grey: np.ndarray) -> bool:
    """Trace paper from ink by the outermost pixels of a picture, (height, width) float32.

    A curved surface through the picture is taken out first, so that dark corners are not mistaken
    for dark paper.
    """
    terms, fit = _curved_surfaces(*grey.shape)
    flat = grey - (fit @ grey.reshape(-1) @ terms).reshape(grey.shape)
    return background_is_dark(flat < otsu_threshold(ascending(flat)))


@lru_cache(maxsize=64)
def _curved_surfaces(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the six terms of a surface of second degree, and what fits it, (6, pixels) each.

    fit @ picture are the weights of the terms for the least squares of differences.
    """
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1)
    terms = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y))
    fit = np.linalg.solve(terms @ terms.T + 1e-3 * np.eye(6), terms)
    return terms.astype(np.float32), fit.astype(np.float32)


def background_is_dark(dark: np.ndarray) -> bool:
    """Trace whether the paper is the dark side, from a (height, width) bool of what is dark.

    The border decides; where a tight crop leaves it half ink, the larger side is the paper.
    """
    share = _share(border(dark))
    if CLEAR_SHARE < share < 1 - CLEAR_SHARE:
        share = _share(dark)
    return share > 0.5


def _share(mask: np.ndarray) -> float:
    """Return which share of a mask is set; its mean takes four times as long."""
    return np.count_nonzero(mask) / mask.size


def otsu_threshold(ordered: np.ndarray) -> float:
    """Return the level that splits values, in ascending order, into the two classes furthest apart.

    Otsu 1979, "A threshold selection method from gray-level histograms", on 256 bins.
    """
    lowest, highest = float(ordered[0]), float(ordered[-1])
    if highest <= lowest:
        return lowest
    bins = (ordered - ordered[0]) * (255.99 / (highest - lowest))
    below = bins.searchsorted(_EDGES).astype(np.float64)  # (255,) values before each edge
    # Over the values before an edge, the numbers of their bins add up to edge * below - missed: each
    # edge up to this one that a value does not reach takes one from its number.
    missed = np.add.accumulate(below)
    mean = 255 - missed[-1] / ordered.size
    # Otsu's sigma_B^2, his equation 18, but for a factor; neither side is ever empty.
    spread = below * (mean - _EDGES)
    spread += missed
    spread *= spread
    spread /= below * (ordered.size - below)
    # An empty gap: take its middle. (Where the most is, is found in half the time of max().)
    (best,) = (spread >= spread.item(spread.argmax()) * (1 - 1e-9)).nonzero()
    return lowest + float(best[0] + best[-1] + 2) / 2 * (highest - lowest) / 256


def paper_light(tiles: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the brightness of the bare paper at each pixel, (height, width) float32 in [0, 255].

    tiles: (rows, columns) uint8, the picture averaged to a grid. A grey-scale closing (Serra 1982)
    there: strokes are narrower than the neighbourhood and vanish, shadows are wider and stay.
    """
    rows, columns = (_continuation(length) for length in tiles.shape)
    wide = (rows @ tiles.astype(np.float32) @ columns.T).clip(0, 255).astype(np.uint8)
    light = _extreme(wide, REACH, np.maximum)
    for lines, length in ((light, tiles.shape[0]), (light.T, tiles.shape[1])):
        unknown = max(0, ROOM - REACH // 2 - _known(length))  # of a narrow picture
        lines[:unknown] = lines[len(lines) - unknown :] = 255  # is never the least
    # One tile further down than up: the soft edge of a shadow shall not look like a stroke.
    light = _smoothed(_extreme(light, REACH + 2, np.minimum)).astype(np.float32)
    rows, columns = (_stretching(length, target) for length, target in zip(tiles.shape, shape, strict=True))
    brightest = light.max()  # from which what is evenly lit differs by exactly 0
    return brightest - rows @ (brightest - light) @ columns.T


def _known(length: int) -> int:
    """Return how many tiles a row of `length` is continued by on either side: it has no more to mirror."""
    return min(REACH, length - 1)


@lru_cache(maxsize=LIGHT_GRID)
def _continuation(length: int) -> np.ndarray:
    """Return the matrix, (ROOM + length + ROOM, length) float32, that continues a row of tiles.

    Past its edge a picture goes on the way it got there, mirrored in the edge's value; a plain
    closing would light up its corners. Beyond what can be mirrored lies 0, which is never the most.
    """
    first, last = ROOM, ROOM + length - 1
    matrix = np.zeros((last + 1 + ROOM, length), np.float32)
    np.fill_diagonal(matrix[first:], 1)
    for step in range(1, _known(length) + 1):
        matrix[first - step, [0, step]] = 2, -1
        matrix[last + step, [-1, -1 - step]] = 2, -1
    matrix.flags.writeable = False  # shared by all pictures as high or as wide
    return matrix


@lru_cache(maxsize=256)  # of 48 kB at most
def _stretching(length: int, target: int) -> np.ndarray:
    """Return the matrix, (target, length) float32, that stretches a row of tiles to so many pixels.

    It is what Pillow makes of each tile alone, bilinearly; to hand the picture over takes longer.
    """
    tiles = Image.fromarray(np.eye(length, dtype=np.float32))
    matrix = np.array(tiles.resize((length, target), Image.Resampling.BILINEAR))
    matrix.flags.writeable = False  # shared by all pictures as high or as wide
    return matrix


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Return the mean of three neighbours along the rows, and of three of these along the columns.

    values: (height + 2, width + 2) uint8; the means, (height, width), are rounded.
    """
    for _ in range(2):
        values = values.T.astype(np.uint16)
        values = (values[:-2] + values[1:-1] + values[2:] + 1) // 3
    return values


def _extreme(values: np.ndarray, reach: int, extreme: np.ufunc) -> np.ndarray:
    """Return np.maximum or np.minimum over each reach x reach pixels that lie within `values`.

    Stretches of twice the length from two of the single: van Herk 1992 needs less, but not here.
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
