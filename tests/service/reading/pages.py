"""Pages of drawn digits for the tests: at any place, touching, on ruled paper, among letters and dots."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from tests.drawing import draw_digit

PEN = 0.11


def glyph(digit: int, height: int = 60) -> np.ndarray:
    """Return a digit cut to its box, (height, width) uint8, black on white."""
    drawn = np.asarray(draw_digit(digit, (3 * height, 2 * height), (0.2, 0.2, 0.45, 0.5), pen=PEN))
    rows, columns = (np.flatnonzero((drawn < 128).any(axis=axis)) for axis in (1, 0))
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


class Page:
    """A sheet to put digits on; `boxes` are theirs: left, top, width, height."""

    def __init__(self, width: int = 600, height: int = 200, paper: int = 255) -> None:
        self.pixels = np.full((height, width), paper, np.uint8)
        self.boxes: list[tuple[int, int, int, int]] = []

    def put(self, digit: int, left: int, top: int, height: int = 60) -> int:
        """Draw a digit; return the column right of it."""
        ink = glyph(digit, height)
        high, wide = ink.shape
        place = self.pixels[top : top + high, left : left + wide]
        np.minimum(place, ink, out=place)
        self.boxes.append((left, top, wide, high))
        return left + wide

    def write(self, number: str, left: int = 30, top: int = 60, height: int = 60, gap: int = 14) -> "Page":
        """Draw the digits of a number side by side."""
        for digit in number:
            left = self.put(int(digit), left, top, height) + gap
        return self

    def rule(self, *rows: int, shade: int = 170) -> "Page":
        """Draw lines from side to side."""
        for row in rows:
            self.pixels[row : row + 2] = np.minimum(self.pixels[row : row + 2], shade)
        return self

    def dot(self, left: int, top: int, side: int = 9) -> "Page":
        """Draw a full stop."""
        self.pixels[top : top + side, left : left + side] = 0
        return self

    def image(self) -> Image.Image:
        """Return the page as a picture."""
        return Image.fromarray(self.pixels)

    def line(self, points: Sequence[tuple[int, int]], width: int = 7) -> "Page":
        """Draw strokes from point to point."""
        image = self.image()
        ImageDraw.Draw(image).line(list(points), 0, width, "curve")
        self.pixels = np.array(image)
        return self
