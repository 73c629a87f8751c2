"""Grey picture -> ink alone: what was written, on a background of exactly zero.

    grey -> dark or light ink? -> paper's light taken out -> how dark is ink? -> ruled lines erased
         -> connected pieces -> specks, frames and neighbours dropped -> ink

The order matters: one speck left in before the digit is cut out costs a third of all answers, and
no training repairs it.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from service.components import Components, find_components
from service.decoding import ImageError

# A border within this many grey values is one colour.
FLAT_RANGE = 2
# With more of the border than this on either side of the threshold, it does not tell paper from ink.
CLEAR_SHARE = 0.4
# Less contrast than this, of 255, is paper grain or compression, not writing.
MIN_CONTRAST = 12
# Ink must stand this many standard deviations of the paper's noise above it.
MIN_SIGNAL_TO_NOISE = 3.0
# The paper's light is estimated on a grid this long; a neighbourhood is a quarter of it, wider than
# any stroke, narrower than most shadows.
LIGHT_GRID = 48
# Ruled lines are thinner than this share of the picture.
LINE_SHARE = 0.04
# A frame's ink lies within this share of its length from its outline.
FRAME_BAND = 0.08
# Pieces with less than this share of the digit's ink are specks.
SPECK_SHARE = 0.03
# Pieces further from the digit than this share of its length do not belong to it.
NEAR_SHARE = 0.25


class BlankImageError(ImageError):
    """The image has no ink to classify."""


class Levels(NamedTuple):
    """Darkness in [0, 255] where ink begins, is surely ink, and is full."""

    faint: float
    solid: float
    full: float


def extract_ink(grey: np.ndarray) -> np.ndarray:
    """Return the ink of the digit, (height, width) float32 in [0, 1], background exactly 0.

    grey: (height, width) float32 in [0, 255], dark on light or light on dark. Raises
    BlankImageError if nothing stands out from the background.
    """
    darkness = ink_darkness(grey)
    levels = ink_levels(darkness)
    darkness = erase_lines(darkness, levels.faint)
    pieces = find_components(darkness > levels.faint, np.where(darkness > levels.solid, darkness, 0))
    keep = digit_pieces(pieces)
    if not keep.any():
        raise BlankImageError("Nothing in the image looks like writing. Send one with a digit on it.")
    ink = np.clip((darkness - levels.faint) / (levels.full - levels.faint), 0, 1)
    return np.where(np.concatenate(([False], keep))[pieces.labels], ink, np.float32(0))


def border(grey: np.ndarray) -> np.ndarray:
    """Return the outermost pixels as one row."""
    return np.concatenate((grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]))


def ink_darkness(grey: np.ndarray) -> np.ndarray:
    """Return how much darker than its paper each pixel is, (height, width) float32.

    Light ink on dark counts as dark ink on light. Paper is around 0, with its noise on either side.
    """
    outermost = border(grey)
    lowest, paper, highest = np.percentile(outermost, (10, 50, 90))
    if highest - lowest <= FLAT_RANGE:  # one colour all around: that is the paper, everywhere
        contrast = paper - grey
        return contrast if contrast.sum() >= 0 else -contrast
    coarse = _coarse(grey)
    if is_light_on_dark(np.asarray(coarse, np.float32)):
        grey, coarse = 255 - grey, ImageOps.invert(coarse)
    return (1 - grey / np.maximum(paper_light(coarse, grey.shape), 1)) * 255


def _coarse(grey: np.ndarray) -> Image.Image:
    """Return the picture averaged to a grid, 8 bits deep, whose longer side has LIGHT_GRID tiles."""
    height, width = grey.shape
    tile = max(height, width) / LIGHT_GRID
    size = (max(1, round(width / tile)), max(1, round(height / tile)))
    tiles = Image.fromarray(grey).resize(size, Image.Resampling.BOX)
    return Image.fromarray(np.asarray(tiles).clip(0, 255).astype(np.uint8))


def is_light_on_dark(grey: np.ndarray) -> bool:
    """Tell paper from ink by the outermost pixels of a picture, (height, width) float32.

    A curved surface through the picture is taken out first, so that dark corners are not mistaken
    for dark paper. Where a tight crop leaves a border of both, the larger side is the paper.
    """
    height, width = grey.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1).astype(np.float32)
    terms = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y))  # (6, pixels)
    surface = np.linalg.solve(terms @ terms.T + 1e-3 * np.eye(6), terms @ grey.reshape(-1))
    flat = grey - (surface @ terms).reshape(grey.shape).astype(np.float32)
    dark = flat < otsu_threshold(flat)
    share = border(dark).mean()
    if CLEAR_SHARE < share < 1 - CLEAR_SHARE:
        share = dark.mean()
    return bool(share > 0.5)


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


def ink_levels(darkness: np.ndarray) -> Levels:
    """Return the levels of a picture's ink; raises BlankImageError if it does not stand out."""
    solid = otsu_threshold(darkness)
    inked = darkness > solid
    paper, writing = darkness[~inked], darkness[inked]
    level = float(np.median(paper))
    noise = 1.4826 * float(np.median(np.abs(paper - level)))
    full = float(np.median(writing)) if writing.size else level
    contrast = full - level
    if contrast < max(MIN_CONTRAST, MIN_SIGNAL_TO_NOISE * noise):
        raise BlankImageError(
            f"Ink and background differ by {contrast:.0f} of 255, with noise of {noise:.0f}. "
            "Send a picture with a digit on it, written more clearly."
        )
    faint = level + max(3 * noise, 0.15 * contrast)
    return Levels(min(faint, level + 0.7 * contrast), solid, full)


def erase_lines(darkness: np.ndarray, faint: float) -> np.ndarray:
    """Return darkness without the ruled lines that cross the picture from side to side."""
    mask = darkness > faint / 2  # lines are printed paler than people write
    lines = ruled_lines(mask) | ruled_lines(mask.T).T
    return np.where(lines, np.float32(0), darkness) if lines.any() else darkness


def ruled_lines(mask: np.ndarray) -> np.ndarray:
    """Return the pixels, (height, width) bool, of thin lines from the left edge to the right one.

    mask: (height, width) bool. A line is made of long horizontal runs; where a stroke crosses it,
    the ink is thicker and stays.
    """
    height, width = mask.shape
    if not (mask[:, 0].any() and mask[:, -1].any()):
        return np.zeros_like(mask)
    long = long_runs(mask, max(3, width // 8))
    pieces = find_components(long, long)
    lines = np.zeros_like(mask)
    for index in np.flatnonzero(pieces.right - pieces.left > 0.95 * width):
        piece = pieces.labels == index + 1
        thickness = np.median(piece.sum(axis=0))
        if thickness <= max(2, LINE_SHARE * height):
            lines |= piece & ~long_runs(mask.T, round(1.5 * thickness) + 2).T
    return lines


def long_runs(mask: np.ndarray, length: int) -> np.ndarray:
    """Return the pixels of `mask` that lie in horizontal runs of at least `length`."""
    height, width = mask.shape
    padded = np.zeros((height, width + 1), np.int8)
    padded[:, :width] = mask
    steps = np.diff(padded.reshape(-1), prepend=np.int8(0))
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    kept = np.repeat(ends - starts >= length, ends - starts)
    result = np.zeros_like(mask)
    result[mask] = kept
    return result


def digit_pieces(pieces: Components) -> np.ndarray:
    """Return which pieces belong to the digit, (count,) bool: the largest, and what lies near it."""
    if not len(pieces.mass) or pieces.mass.max() <= 0:
        return np.zeros(len(pieces.mass), bool)
    height, width = pieces.labels.shape
    cut = (pieces.top == 0) | (pieces.left == 0) | (pieces.bottom == height) | (pieces.right == width)
    # What the picture's edge cuts is more often a shadow, a finger or the next digit than the digit.
    likely = np.where(cut, pieces.mass / 4, pieces.mass)
    main = int(likely.argmax())
    if is_frame(pieces, main):
        likely[main] = 0
        main = int(likely.argmax())
    tall = pieces.bottom - pieces.top
    broad = pieces.right - pieces.left
    length = max(tall[main], broad[main])
    gap_rows = np.maximum(pieces.top - pieces.bottom[main], pieces.top[main] - pieces.bottom)
    gap_columns = np.maximum(pieces.left - pieces.right[main], pieces.left[main] - pieces.right)
    near = np.maximum(gap_rows, gap_columns) < NEAR_SHARE * length
    keep = near & (likely >= SPECK_SHARE * likely[main])
    if not cut[main]:
        keep &= ~cut
    around = (pieces.top < pieces.top[main]) & (pieces.bottom > pieces.bottom[main])
    around &= (pieces.left < pieces.left[main]) & (pieces.right > pieces.right[main])
    return keep & ~around


def is_frame(pieces: Components, index: int) -> bool:
    """Tell whether a piece is a box drawn around others: its ink lies along its own outline."""
    inside = (
        (pieces.top > pieces.top[index])
        & (pieces.bottom < pieces.bottom[index])
        & (pieces.left > pieces.left[index])
        & (pieces.right < pieces.right[index])
        & (pieces.mass > SPECK_SHARE * pieces.mass[index])
    )
    if not inside.any():
        return False
    rows, columns = (
        slice(pieces.top[index], pieces.bottom[index]),
        slice(pieces.left[index], pieces.right[index]),
    )
    piece = pieces.labels[rows, columns] == index + 1
    band_rows, band_columns = (max(2, round(FRAME_BAND * length)) for length in piece.shape)
    within = piece[band_rows:-band_rows, band_columns:-band_columns].sum()
    return bool(within < 0.1 * piece.sum())
