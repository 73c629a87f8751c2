"""Telling ink from paper: which side is the ink, and how bright the bare paper is everywhere.

grey -> one colour around? -> dark or light ink? -> paper's light -> darkness relative to it
"""

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from service.steps import Tell, nobody

# A border within this many grey values is one colour.
FLAT_RANGE = 2
# With more of the border than this on either side of the threshold, it does not tell paper from ink.
CLEAR_SHARE = 0.4
# Paper whose light varies less than this, of 255, is not worth a word.
UNEVEN_RANGE = 20
TURNED = "light ink on dark: turned over"
# The paper's light is estimated on a grid this long; a neighbourhood is a quarter of it, wider than
# any stroke, narrower than most shadows.
LIGHT_GRID = 48


def ink_darkness(grey: np.ndarray, tell: Tell = nobody) -> np.ndarray:
    """Return how much darker than its paper each pixel is, (height, width) float32.

    Light ink on dark counts as dark ink on light. Paper is around 0, with its noise on either side.
    tell: gets what was done.
    """
    outermost = border(grey)
    lowest, paper, highest = np.percentile(outermost, (10, 50, 90)).astype(np.float32)
    if highest - lowest <= FLAT_RANGE:  # one colour all around: that is the paper, everywhere
        contrast = paper - grey
        if contrast.sum() >= 0:
            return contrast
        tell(TURNED)
        return -contrast
    coarse = _coarse(grey)
    if is_light_on_dark(np.asarray(coarse, np.float32)):
        tell(TURNED)
        grey, coarse = 255 - grey, ImageOps.invert(coarse)
    light = np.maximum(paper_light(coarse, grey.shape), 1)
    if light.max() - light.min() > UNEVEN_RANGE:
        tell("uneven light evened out")
    return (1 - grey / light) * 255


def even_darkness(grey: np.ndarray, tell: Tell = nobody) -> np.ndarray:
    """Return how much darker than one common level of the paper each pixel is, float32.

    tell: gets what was done.
    """
    dark = grey < otsu_threshold(grey)
    if background_is_dark(dark):
        tell(TURNED)
        grey, dark = 255 - grey, ~dark
    return np.median(grey[~dark]) - grey if not dark.all() else np.zeros_like(grey)


def border(grey: np.ndarray) -> np.ndarray:
    """Return the outermost pixels as one row."""
    return np.concatenate((grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]))


def is_light_on_dark(grey: np.ndarray) -> bool:
    """Tell paper from ink by the outermost pixels of a picture, (height, width) float32.

    A curved surface through the picture is taken out first, so that dark corners are not mistaken
    for dark paper.
    """
    height, width = grey.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1).astype(np.float32)
    terms = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y))  # (6, pixels)
    surface = np.linalg.solve(terms @ terms.T + 1e-3 * np.eye(6), terms @ grey.reshape(-1))
    flat = grey - (surface @ terms).reshape(grey.shape).astype(np.float32)
    return background_is_dark(flat < otsu_threshold(flat))


def background_is_dark(dark: np.ndarray) -> bool:
    """Tell whether the paper is the dark side, from a (height, width) bool of what is dark.

    The border decides; where a tight crop leaves it half ink, the larger side is the paper.
    """
    share = border(dark).mean()
    if CLEAR_SHARE < share < 1 - CLEAR_SHARE:
        share = dark.mean()
    return bool(share > 0.5)


def otsu_threshold(values: np.ndarray) -> float:
    """Return the level that splits values into the two classes that lie furthest apart.

    Otsu 1979, "A threshold selection method from gray-level histograms", on 256 bins.
    """
    lowest, highest = float(values.min()), float(values.max())
    if highest <= lowest:
        return lowest
    counts, edges = np.histogram(values, 256, (lowest, highest))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    sums = np.cumsum(counts * middles)
    distance = (sums[-1] - sums[:-1]) / np.maximum(above, 1) - sums[:-1] / np.maximum(below, 1)
    spread = below * above * distance**2
    best = np.flatnonzero(spread >= spread.max() * (1 - 1e-9))  # an empty gap: take its middle
    return float((edges[best[0] + 1] + edges[best[-1] + 1]) / 2)


def paper_light(coarse: Image.Image, shape: tuple[int, int]) -> np.ndarray:
    """Return the brightness of the bare paper at each pixel, (height, width) float32.

    A grey-scale closing (Serra 1982) on the grid: strokes are narrower than the neighbourhood and
    vanish, shadows are wider and stay.
    """
    reach = LIGHT_GRID // 8 * 2 + 1
    # Past its edge a picture goes on the way it got there; a plain closing would light up its corners.
    tiles = np.asarray(coarse, np.int16)
    room = [min(reach, length - 1) for length in tiles.shape]
    wide = np.pad(tiles, [(room[0],) * 2, (room[1],) * 2], "reflect", reflect_type="odd")
    image = Image.fromarray(wide.clip(0, 255).astype(np.uint8))
    # One tile further down than up: the soft edge of a shadow shall not look like a stroke.
    closed = image.filter(ImageFilter.MaxFilter(reach)).filter(ImageFilter.MinFilter(reach + 2))
    light = np.asarray(closed.filter(ImageFilter.BoxBlur(1)), np.float32)
    light = light[room[0] : room[0] + tiles.shape[0], room[1] : room[1] + tiles.shape[1]]
    large = Image.fromarray(light).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(large)


def _coarse(grey: np.ndarray) -> Image.Image:
    """Return the picture averaged to a grid, 8 bits deep, whose longer side has LIGHT_GRID tiles."""
    height, width = grey.shape
    tile = max(height, width) / LIGHT_GRID
    size = (max(1, round(width / tile)), max(1, round(height / tile)))
    tiles = Image.fromarray(grey).resize(size, Image.Resampling.BOX)
    return Image.fromarray(np.asarray(tiles).clip(0, 255).astype(np.uint8))
