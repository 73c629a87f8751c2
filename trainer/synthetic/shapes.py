"""Drawn shapes that are not digits: polygons, arrows, crosses, lattices, frames.

    form, random proportions -> (side, side) uint8, ink 255

Nothing here looks like a digit: an outlined disc would be a 0 and an upright bar a 1.
"""

import numpy as np
from PIL import Image, ImageDraw

from trainer.data import Examples
from trainer.synthetic.curves import draw_strokes

FORMS = ("cross", "cross", "polygon", "polygon", "box", "triangle", "star", "arrow", "disc", "pie", "bar")


def shape(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw the outline or area of a polygon, star, disc or pie; an arrow, a cross or a lying bar."""
    form = str(rng.choice(FORMS))
    width = max(1, round(side * rng.uniform(0.03, 0.15)))
    if form == "arrow":
        return _arrow(side, width, rng)
    if form == "cross":
        return _cross(side, width, rng)
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    look = {"fill": 255} if rng.random() < 0.4 else {"outline": 255, "width": width}
    turn = rng.uniform(0, 2 * np.pi)
    if form == "disc":
        draw.ellipse(_box(side, rng), fill=255)  # its outline would be a 0
    elif form == "pie":
        draw.pieslice(_box(side, rng), np.degrees(turn), np.degrees(turn) + rng.uniform(60, 300), **look)
    elif form == "bar":
        draw.polygon(_bar(side, rng), fill=255)
    elif form == "star":
        corners = 2 * int(rng.integers(3, 9))
        draw.polygon(_regular(corners, side, turn, rng, inner=rng.uniform(0.25, 0.65)), **look)
    elif form == "box":
        turn = np.pi / 4 if rng.random() < 0.6 else turn
        draw.polygon(_regular(4, side, turn, rng), **look)
    else:
        corners = 3 if form == "triangle" else int(rng.integers(4, 9 if "fill" in look else 7))
        draw.polygon(_regular(corners, side, turn, rng, rough=rng.choice([0, 0.1, 0.5])), **look)
    return np.asarray(image)


def _box(side: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box around the center."""
    left, top = side * rng.uniform(0.03, 0.25, 2)
    right, bottom = side * rng.uniform(0.72, 0.97, 2)
    return left, top, right, bottom


def _regular(
    corners: int, side: int, turn: float, rng: np.random.Generator, rough: float = 0.05, inner: float = 1
) -> list[tuple[float, float]]:
    """Return the corners of a polygon around the center.

    turn: radians. rough: random share by which angles and radii vary. inner: radius of every second
    corner, as a share of the others; below 1 the polygon is a star.
    """
    angles = turn + 2 * np.pi * (np.arange(corners) + rng.uniform(-rough, rough, corners)) / corners
    radii = np.where(np.arange(corners) % 2, inner, 1) * (1 + rng.uniform(-rough, rough, corners))
    size = side * rng.uniform(0.25, 0.48) * rng.permutation([1, rng.uniform(0.4, 1) ** 0.5])
    points = side / 2 + (np.stack((np.cos(angles), np.sin(angles)), 1) * radii[:, None]) * size
    return [tuple(point) for point in points]


def rotated(points: np.ndarray, side: int, angle: float) -> np.ndarray:
    """Return points, (n, 2) around 0 in units of the side, rotated and moved to the picture's center.

    angle: radians.
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    return side / 2 + side * points @ np.array([[cosine, sine], [-sine, cosine]])


def _arrow(side: int, width: int, rng: np.random.Generator) -> np.ndarray:
    length, head = rng.uniform(0.3, 0.45), rng.uniform(0.12, 0.25)
    tip, angle = np.array([length, 0]), rng.uniform(0, 2 * np.pi)
    lines = [np.array([[-length, 0], tip]), np.array([tip - [head, head], tip, tip - [head, -head]])]
    if rng.random() < 0.3:
        lines.append(np.array([[-length + head, head], [-length, 0], [-length + head, -head]]))
    return draw_strokes([rotated(line, side, angle) for line in lines], side, width)


def _cross(side: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draw rays from one place: a plus, a T, a Y on its side, an asterisk."""
    count = int(rng.choice([3, 4, 4, 4, 4, 5, 6, 8]))
    turn = np.pi / 4 * rng.integers(8) if rng.random() < 0.6 else rng.uniform(0, 6)
    angles = turn + 2 * np.pi * (np.arange(count) + rng.uniform(-0.08, 0.08, count) * rng.integers(2)) / count
    lengths = rng.uniform(0.3, 0.45) * (1 if rng.random() < 0.4 else rng.uniform(0.3, 1, count))
    ends = np.stack((np.cos(angles), np.sin(angles)), axis=1) * np.reshape(lengths, (-1, 1))
    middle = rng.uniform(0.45, 0.55, 2)
    return draw_strokes([side * (middle + np.array([[0, 0], end])) for end in ends], side, width)


def _bar(side: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return the corners of a bar that lies, because an upright one is a 1."""
    length, width = rng.uniform(0.3, 0.47), rng.uniform(0.02, 0.15)
    corners = np.array([[-length, -width], [length, -width], [length, width], [-length, width]])
    return [tuple(point) for point in rotated(corners, side, rng.uniform(-0.5, 0.5))]


def lattice(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw a grid, rows of lines or dots, a chessboard, waves or a spiral."""
    width = max(1, round(side * rng.uniform(0.02, 0.1)))
    form = rng.choice(["grid", "dots", "chessboard", "spiral", "waves"])
    if form == "spiral":
        angles = np.linspace(0, 2 * np.pi * rng.uniform(2, 4), 80)
        radii = side * np.linspace(0.02, rng.uniform(0.3, 0.45), 80)
        turn = rng.uniform(0, 6)
        places = np.stack((np.cos(angles + turn), rng.choice([-1, 1]) * np.sin(angles + turn)), 1)
        return draw_strokes([side / 2 + radii[:, None] * places], side, min(width, side * 0.06))
    rows, columns = rng.integers(1, 6, 2)
    y, x = np.mgrid[:side, :side] / side
    inside = (np.abs(x - 0.5) < rng.uniform(0.25, 0.48)) & (np.abs(y - 0.5) < rng.uniform(0.25, 0.48))
    if form == "chessboard":
        pattern = (np.floor(x * (rows + 2)) + np.floor(y * (columns + 2))) % 2
    elif form == "dots":
        pattern = np.hypot(x * (rows + 1) % 1 - 0.5, y * (columns + 1) % 1 - 0.5) < rng.uniform(0.15, 0.4)
    elif form == "waves":
        pattern = np.sin(2 * np.pi * (x * rows + y * columns * rng.choice([-1, 1]))) > rng.uniform(-0.5, 0.7)
    else:
        share = width / side
        across, along = (
            (x * (columns + 1)) % 1 < share * (columns + 1),
            (y * (rows + 1)) % 1 < share * (rows + 1),
        )
        pattern = across | along if rng.random() < 0.7 else along
    return (255 * (pattern & inside if pattern.dtype == bool else pattern * inside)).astype(np.uint8)


def frame(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw a border, some of its sides, or marks at its corners."""
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    width = max(1, round(side * rng.uniform(0.01, 0.12)))
    margin = side * rng.choice([0, rng.uniform(0, 0.1), rng.uniform(0, 0.35)])
    low, high = margin, side - 1 - margin
    narrow = (high - low) * rng.uniform(0, 0.85, 2) * (rng.random(2) < 0.4)
    box = (low + narrow[0] / 2, low + narrow[1] / 2, high - narrow[0] / 2, high - narrow[1] / 2)
    form = rng.random()
    if form < 0.6:
        draw.rounded_rectangle(box, rng.choice([0, 0, side * rng.uniform(0, 0.12)]), outline=255, width=width)
        if rng.random() < 0.25:  # a frame within the frame
            inset = 2 * width + 1 + side * rng.uniform(0, 0.05)
            if box[2] - box[0] > 3 * inset and box[3] - box[1] > 3 * inset:
                draw.rectangle(
                    (box[0] + inset, box[1] + inset, box[2] - inset, box[3] - inset), outline=255, width=width
                )
    elif form < 0.8:  # some of the four sides
        corners = [(box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3]), (box[0], box[1])]
        draw.line((corners + corners[1:4])[(start := int(rng.integers(4))) : start + 4], 255, width)
    else:  # corner marks
        length = side * rng.uniform(0.08, 0.25)
        for x, right in ((box[0], 1), (box[2], -1)):
            for y, down in ((box[1], 1), (box[3], -1)):
                draw.line([(x + right * length, y), (x, y), (x, y + down * length)], 255, width)
    return np.asarray(image)
