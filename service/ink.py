"""Grey picture -> ink alone: what was written, on a background of exactly zero.

    grey -> polarity -> even light -> how dark is ink? -> pieces -> specks and lines dropped -> ink

The order matters: one speck left in before the digit is cut out costs a third of all answers, and
no training repairs it.
"""

import numpy as np
from PIL import Image, ImageFilter

from service.components import Components, find_components
from service.decoding import ImageError

# Less contrast than this, of 255, is paper grain or compression, not writing.
MIN_CONTRAST = 12
# Ink must stand this many standard deviations of the paper's noise above it.
MIN_SIGNAL_TO_NOISE = 5.0


class BlankImageError(ImageError):
    """The image has no ink to classify."""


def extract_ink(grey: np.ndarray) -> np.ndarray:
    """Return the ink of the digit, (height, width) float32 in [0, 1], background exactly 0.

    grey: (height, width) float32 in [0, 255], dark on light or light on dark. Raises
    BlankImageError if nothing stands out from the background.
    """
    if is_light_on_dark(grey):
        grey = 255 - grey
    darkness = remove_paper(grey)
    faint, solid, noise = ink_levels(darkness)
    pieces = find_components(darkness > faint, np.where(darkness > solid, darkness, 0))
    keep = digit_pieces(pieces, darkness.shape)
    if not keep.any():
        raise BlankImageError("Nothing in the image looks like writing. Send one with a digit on it.")
    full = full_level(darkness, solid, noise)
    ink = np.clip((darkness - faint) / (full - faint), 0, 1)
    return np.where(np.concatenate(([False], keep))[pieces.labels], ink, np.float32(0))


def is_light_on_dark(grey: np.ndarray) -> bool:
    """Tell whether the background, judged by the outermost pixels, is the darker side."""
    frame = np.concatenate((grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]))
    return bool(np.median(frame) < otsu_threshold(grey))


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


def remove_paper(grey: np.ndarray) -> np.ndarray:
    """Return darkness relative to the paper around, (height, width) float32 in [0, 255].

    grey: dark ink on light paper. Where the border is of one colour, that is the paper; else the
    paper's light is estimated everywhere, which removes shadows and vignettes.
    """
    frame = np.concatenate((grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]))
    low, paper = np.percentile(frame, (20, 50))
    if paper - low <= 2:
        return np.clip(paper - grey, 0, None)
    light = paper_light(grey)
    return np.clip((1 - grey / np.maximum(light, 1)) * 255, 0, None)


def paper_light(grey: np.ndarray) -> np.ndarray:
    """Return the brightness of the bare paper at each pixel, (height, width) float32.

    A grey-scale closing on a coarse grid: the brightest of each neighbourhood a quarter of the
    picture wide, then the darkest of those, so that strokes vanish and shadows stay.
    """
    height, width = grey.shape
    tile = max(1, max(height, width) // 48)
    softened = Image.fromarray(grey).resize(
        (max(1, width // tile), max(1, height // tile)), Image.Resampling.BOX
    )
    coarse = Image.fromarray(np.asarray(softened).clip(0, 255).astype(np.uint8))
    reach = max(softened.size) // 8 * 2 + 1
    closed = coarse.filter(ImageFilter.MaxFilter(reach)).filter(ImageFilter.MinFilter(reach))
    smooth = closed.filter(ImageFilter.BoxBlur(reach / 4))
    return np.asarray(
        Image.fromarray(np.asarray(smooth, np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    )


def ink_levels(darkness: np.ndarray) -> tuple[float, float, float]:
    """Return (faint, solid, noise): where ink begins, what is surely ink, the paper's deviation."""
    solid = otsu_threshold(darkness)
    paper = darkness[darkness <= solid]
    middle = float(np.median(paper))
    noise = 1.4826 * float(np.median(np.abs(paper - middle)))
    writing = darkness[darkness > solid]
    contrast = float(np.median(writing)) - middle if writing.size else 0.0
    if contrast < MIN_CONTRAST or contrast < MIN_SIGNAL_TO_NOISE * noise:
        raise BlankImageError(
            f"Ink and background differ by {contrast:.0f} of 255, with noise of {noise:.0f}. "
            "Send a picture with a digit on it, written more clearly."
        )
    faint = max(middle + 3 * noise, middle + 0.15 * contrast)
    return min(faint, 0.9 * solid), solid, noise


def full_level(darkness: np.ndarray, solid: float, noise: float) -> float:
    """Return the darkness that counts as full ink."""
    return float(np.percentile(darkness[darkness > solid], 50))


def digit_pieces(pieces: Components, shape: tuple[int, int]) -> np.ndarray:
    """Return which pieces belong to the digit, (count,) bool: the largest, and what lies near it."""
    height, width = shape
    if not len(pieces.mass) or pieces.mass.max() <= 0:
        return np.zeros(len(pieces.mass), bool)
    tall = pieces.bottom - pieces.top
    broad = pieces.right - pieces.left
    touches = (pieces.top == 0) | (pieces.left == 0) | (pieces.bottom == height) | (pieces.right == width)
    line = (broad > 0.9 * width) & (tall < 0.12 * height) | (tall > 0.95 * height) & (broad < 0.05 * width)
    candidate = np.where(line | touches & (pieces.mass < 0.5 * pieces.mass.max()), 0, pieces.mass)
    if candidate.max() <= 0:
        candidate = pieces.mass
    main = int(candidate.argmax())
    size = max(tall[main], broad[main])
    gap_rows = np.maximum(pieces.top - pieces.bottom[main], pieces.top[main] - pieces.bottom)
    gap_columns = np.maximum(pieces.left - pieces.right[main], pieces.left[main] - pieces.right)
    gap = np.maximum(gap_rows, gap_columns)
    near = gap < 0.25 * size
    large = candidate > 0.03 * candidate[main]
    keep = near & large
    keep[main] = True
    return keep
