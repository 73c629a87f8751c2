"""Numbers composed of single digits: apart, on ruled paper in uneven light, and touching.

pictures of digits -> one size, side by side -> paper, light, lines, grain -> (height, width) uint8
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from trainer.synthetic.textures import on_paper

FAMILIES = ("apart", "close", "ruled and shaded", "touching")
# Pixels between the boxes of two digits; overlapping boxes often touch.
GAPS = {"apart": (3, 14), "close": (0, 3), "ruled and shaded": (3, 14), "touching": (-4, 0)}
HEIGHT = (34, 90)  # pixels that the length of a digit becomes
INKED = 0.08  # of full ink, from which a pixel belongs to a digit's box


def compose_number(pictures: Sequence[np.ndarray], family: str, rng: np.random.Generator) -> np.ndarray:
    """Return a page, (height, width) uint8, dark on light, with digits side by side.

    pictures: (side, side) float32 ink in [0, 1] each. family: one of FAMILIES. rng: decides all else.
    """
    ink = _side_by_side(pictures, GAPS[family], rng)
    light: np.ndarray | float = rng.uniform(170, 245)
    if family == "ruled and shaded":
        light = light * _shade(ink.shape, rng)
        light *= 1 - _rules(ink.shape, rng)
    grey = on_paper(ink, light, rng.uniform(0.55, 0.9)) + rng.normal(0, rng.uniform(0, 6), ink.shape)
    return np.clip(grey, 0, 255).astype(np.uint8)


def _side_by_side(
    pictures: Sequence[np.ndarray], gaps: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Return the ink of digits in a row, with a margin, (height, width) float32."""
    length = rng.uniform(*HEIGHT)
    glyphs = [_enlarged(picture, length * rng.uniform(0.93, 1.07)) for picture in pictures]
    tallest = max(len(glyph) for glyph in glyphs)
    margin = rng.integers(round(0.2 * length), round(0.8 * length), 4)
    jitter = round(0.06 * length)
    between = rng.integers(gaps[0], gaps[1], len(glyphs) - 1, endpoint=True)
    width = sum(glyph.shape[1] for glyph in glyphs) + int(between.sum())
    page = np.zeros((tallest + 2 * jitter + margin[0] + margin[1], width + margin[2] + margin[3]), np.float32)
    left = int(margin[2])
    for number, glyph in enumerate(glyphs):
        high, wide = glyph.shape
        top = int(margin[0] + (tallest - high) // 2 + rng.integers(0, 2 * jitter, endpoint=True))
        place = page[top : top + high, left : left + wide]
        np.maximum(place, glyph, out=place)
        left += wide + (int(between[number]) if number < len(between) else 0)
    return page


def _enlarged(picture: np.ndarray, length: float) -> np.ndarray:
    """Return a digit cut to its box, its longer side `length` pixels, float32 in [0, 1]."""
    rows, columns = (np.flatnonzero((picture > INKED).any(axis=axis)) for axis in (1, 0))
    cut = np.ascontiguousarray(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], np.float32)
    scale = length / max(cut.shape)
    size = [max(2, round(side * scale)) for side in cut.shape[::-1]]
    return np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BICUBIC)).clip(0, 1)


def _shade(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return light that falls to one side, or the soft edge of a shadow, (height, width) in [0.4, 1]."""
    y, x = (np.arange(side) / max(shape) for side in shape)
    angle = rng.uniform(0, 2 * np.pi)
    place = np.add.outer(y * np.sin(angle), x * np.cos(angle))
    place = (place - place.min()) / np.ptp(place)
    depth = rng.uniform(0.25, 0.55)
    if rng.random() < 0.5:
        return 1 - depth * place
    return 1 - depth / (1 + np.exp((rng.uniform(0.3, 0.7) - place) / rng.uniform(0.02, 0.08)))


def _rules(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return how much of the light ruled lines absorb, (height, width) in [0, 0.4]."""
    height, width = shape
    rules = np.zeros(shape)
    distance = rng.uniform(0.25, 0.6) * height
    slope = rng.uniform(-0.01, 0.01) * (rng.random() < 0.5)
    strength, thickness = rng.uniform(0.12, 0.4), int(rng.integers(1, 3))
    for first in np.arange(rng.uniform(0, distance), height, distance):
        rows = (first + slope * np.arange(width)).round().astype(int)
        for row in range(thickness):
            inside = (rows + row >= 0) & (rows + row < height)
            rules[(rows + row)[inside], np.flatnonzero(inside)] = strength
    return rules
