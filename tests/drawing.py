"""Digits drawn for the tests: a few strokes each, in any colour, on any paper.

The project keeps no picture of other people's handwriting; these are its own.
"""

import io
import math

from PIL import Image, ImageDraw


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[tuple[float, float]]:
    """Return points of an ellipse around (x, y); angles in degrees, clockwise from three o'clock."""
    count = 24
    angles = [math.radians(start + (end - start) * i / count) for i in range(count + 1)]
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


# Strokes in a box one wide and one high.
STROKES: dict[int, list[list[tuple[float, float]]]] = {
    0: [_arc(0.5, 0.5, 0.3, 0.45, 0, 360)],
    1: [[(0.52, 0.05), (0.48, 0.95)]],
    2: [_arc(0.5, 0.28, 0.28, 0.23, 180, 375) + [(0.2, 0.94), (0.82, 0.93)]],
    3: [_arc(0.45, 0.27, 0.28, 0.22, 200, 440) + _arc(0.45, 0.71, 0.32, 0.24, 280, 520)],
    4: [[(0.28, 0.06), (0.2, 0.52), (0.78, 0.52)], [(0.7, 0.08), (0.66, 0.95)]],
    5: [[(0.75, 0.06), (0.32, 0.06), (0.28, 0.42)] + _arc(0.46, 0.66, 0.3, 0.27, 230, 500)],
    6: [[(0.62, 0.05), (0.4, 0.3), (0.26, 0.6)] + _arc(0.5, 0.7, 0.25, 0.24, 190, 550)],
    7: [[(0.2, 0.08), (0.78, 0.08), (0.42, 0.95)]],
    8: [_arc(0.5, 0.28, 0.22, 0.22, 90, 450) + _arc(0.5, 0.72, 0.27, 0.23, 270, 630)],
    9: [_arc(0.48, 0.3, 0.25, 0.24, 0, 360) + [(0.73, 0.3), (0.7, 0.6), (0.62, 0.95)]],
}


def draw_digit(
    digit: int,
    size: tuple[int, int] = (200, 200),
    box: tuple[float, float, float, float] = (0.2, 0.15, 0.6, 0.7),
    ink: int | tuple[int, ...] = 0,
    paper: int | tuple[int, ...] = 255,
    mode: str = "L",
    pen: float = 0.09,
) -> Image.Image:
    """Return a picture of a digit.

    size: (width, height) in pixels. box: left, top, width, height of the digit as shares of the
    picture. ink, paper: colours in `mode`. pen: stroke width as a share of the digit's height.
    """
    width, height = size
    left, top, box_width, box_height = box
    image = Image.new(mode, size, paper)
    draw = ImageDraw.Draw(image)
    thickness = max(1, round(pen * box_height * height))
    for stroke in STROKES[digit]:
        points = [((left + x * box_width) * width, (top + y * box_height) * height) for x, y in stroke]
        draw.line(points, fill=ink, width=thickness, joint="curve")
        for x, y in (points[0], points[-1]):
            radius = thickness / 2
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    return image


def encode(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    """Return the bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def digit_png(digit: int) -> bytes:
    """Return a PNG of a digit, black on white, 200 x 200."""
    return encode(draw_digit(digit))
