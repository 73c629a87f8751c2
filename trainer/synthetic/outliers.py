"""Pictures of what is no digit, made from a seed: what a judge learns to refuse.

    kind -> drawing (ink on nothing) -> paper, ink, light, noise -> preprocess_grey -> pixels

Many kinds, each in many forms: what is refused later will be none of these, so it is width that
counts ("Deep Anomaly Detection with Outlier Exposure", Hendrycks et al. 2019). Nothing here is drawn
that people would read as a digit: no ring (0), no upright bar (1), no letter like O, l, Z, S, b or B.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from service.preprocessing.decoding import ImageError
from service.preprocessing.normalization import Geometry
from service.preprocessing.pipeline import preprocess_grey
from trainer.data.datasets import Examples
from trainer.synthetic.letters import (
    CYRILLIC,
    FONTS,
    GREEK,
    LATIN,
    SIGN_FONT,
    SIGNS,
    STROKES,
    draw_strokes,
    print_letter,
    smooth_line,
    write_letter,
)

SIDES = (28, 28, 40, 56, 80)  # of the drawings, in pixels
FORMS = ("cross", "cross", "polygon", "polygon", "box", "triangle", "star", "arrow", "disc", "pie", "bar")
Drawing = Callable[[int, np.random.Generator, Examples], np.ndarray]


def make_outliers(count: int, geometry: Geometry, digits: Examples, rng: np.random.Generator) -> np.ndarray:
    """Return pixels, (count, side * side) float32, as the network sees them, of all KINDS.

    digits: handwriting to take pieces from.
    """
    kinds = rng.choice(list(KINDS), count, p=list(KINDS.values()))
    pixels = np.empty((count, geometry.side**2), np.float32)
    for row, kind in zip(pixels, kinds, strict=True):
        row[:] = make_outlier(kind, geometry, digits, rng)
    return pixels


def make_outlier(kind: str, geometry: Geometry, digits: Examples, rng: np.random.Generator) -> np.ndarray:
    """Return the pixels, (side * side,), of one picture of a kind that is not blank."""
    while True:
        side = int(rng.choice(SIDES))
        drawing = DRAWINGS[kind](side, rng, digits)
        try:
            return preprocess_grey(photograph(drawing, rng), geometry)
        except ImageError:
            continue  # too faint or too noisy to be answered at all; draw another


def photograph(drawing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a grey picture, float32 in [0, 255], of a drawing, (side, side) in [0, 255].

    Half of them are light on dark, as they are; the others are ink on paper of some brightness, some
    with a gradient of light and noise.
    """
    ink = np.asarray(drawing, np.float32)
    if rng.random() < 0.5:
        return ink
    paper = np.float32(rng.uniform(170, 255))
    light = np.linspace(1, rng.uniform(0.8, 1), len(ink), dtype=np.float32)[:, None]
    grey = paper * light * (1 - ink / 255 * np.float32(rng.uniform(0.6, 1)))
    if rng.random() < 0.4:
        grey = grey + rng.normal(0, rng.uniform(0, 6), grey.shape).astype(np.float32)
    grey = np.clip(grey, 0, 255)
    return grey if rng.random() < 0.8 else 255 - grey


def printed_letter(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """A Latin letter, now and then two or three, in one of the fonts."""
    length = 1 if rng.random() < 0.85 else rng.integers(2, 4)
    return print_letter("".join(rng.choice(list(LATIN), length)), str(rng.choice(FONTS)), side)


def printed_sign(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """A Greek or Cyrillic letter, or another sign."""
    return print_letter(str(rng.choice(list(GREEK + CYRILLIC + SIGNS))), SIGN_FONT, side)


def written_letter(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """A letter drawn stroke by stroke."""
    return write_letter(str(rng.choice(list(STROKES))), side, rng)


def shape(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """The outline or area of a polygon, star, disc or pie; an arrow, a cross or a lying bar."""
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
    """Return left, top, right and bottom of a box around the middle."""
    left, top = side * rng.uniform(0.03, 0.25, 2)
    right, bottom = side * rng.uniform(0.72, 0.97, 2)
    return left, top, right, bottom


def _regular(
    corners: int, side: int, turn: float, rng: np.random.Generator, rough: float = 0.05, inner: float = 1
) -> list[tuple[float, float]]:
    """Return the corners of a polygon; `inner` is how far in every second one lies."""
    angles = turn + 2 * np.pi * (np.arange(corners) + rng.uniform(-rough, rough, corners)) / corners
    radii = np.where(np.arange(corners) % 2, inner, 1) * (1 + rng.uniform(-rough, rough, corners))
    size = side * rng.uniform(0.25, 0.48) * rng.permutation([1, rng.uniform(0.4, 1) ** 0.5])
    points = side / 2 + (np.stack((np.cos(angles), np.sin(angles)), 1) * radii[:, None]) * size
    return [tuple(point) for point in points]


def _turned(points: np.ndarray, side: int, angle: float) -> np.ndarray:
    """Return points, (n, 2) in units around 0, turned and moved to the middle of a picture."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return side / 2 + side * points @ np.array([[cosine, sine], [-sine, cosine]])


def _arrow(side: int, width: int, rng: np.random.Generator) -> np.ndarray:
    length, head = rng.uniform(0.3, 0.45), rng.uniform(0.12, 0.25)
    tip, angle = np.array([length, 0]), rng.uniform(0, 2 * np.pi)
    lines = [np.array([[-length, 0], tip]), np.array([tip - [head, head], tip, tip - [head, -head]])]
    if rng.random() < 0.3:
        lines.append(np.array([[-length + head, head], [-length, 0], [-length + head, -head]]))
    return draw_strokes([_turned(line, side, angle) for line in lines], side, width)


def _cross(side: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Lines through one place, or rays from it: +, x, a T, a Y on its side, asterisks."""
    count = int(rng.choice([3, 4, 4, 4, 4, 5, 6, 8]))
    turn = np.pi / 4 * rng.integers(8) if rng.random() < 0.6 else rng.uniform(0, 6)
    angles = turn + 2 * np.pi * (np.arange(count) + rng.uniform(-0.08, 0.08, count) * rng.integers(2)) / count
    lengths = rng.uniform(0.3, 0.45) * (1 if rng.random() < 0.4 else rng.uniform(0.3, 1, count))
    ends = np.stack((np.cos(angles), np.sin(angles)), axis=1) * np.reshape(lengths, (-1, 1))
    middle = rng.uniform(0.45, 0.55, 2)
    return draw_strokes([side * (middle + np.array([[0, 0], end])) for end in ends], side, width)


def _bar(side: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return the corners of a bar that lies: an upright one is a 1."""
    length, width = rng.uniform(0.3, 0.47), rng.uniform(0.02, 0.15)
    corners = np.array([[-length, -width], [length, -width], [length, width], [-length, width]])
    return [tuple(point) for point in _turned(corners, side, rng.uniform(-0.5, 0.5))]


def lattice(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """A grid, ladder, rows of lines or dots, a chessboard, or a spiral."""
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
    """A blank picture but for a border, a box drawn on it, or its corners, sides or shadows."""
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


def scribble(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """A pen that wanders: a tangle, a zigzag, loops, or a few strokes that mean nothing."""
    width = side * rng.uniform(0.03, 0.12)
    form = rng.random()
    if form < 0.5:
        points = side * rng.uniform(0.1, 0.9, (rng.integers(4, 12), 2))
        return draw_strokes([smooth_line(points) if rng.random() < 0.6 else points], side, width)
    if form < 0.65:
        count = int(rng.integers(4, 12))
        x = np.linspace(0.12, 0.88, count)
        y = 0.5 + rng.uniform(0.1, 0.38, count) * (-1) ** np.arange(count)
        points = _turned(np.stack((x, y), 1) - 0.5, side, rng.uniform(0, 2 * np.pi))
        return draw_strokes([smooth_line(points) if rng.random() < 0.5 else points], side, width)
    strokes = []
    for _ in range(rng.integers(3, 7)):
        points = side * rng.uniform(0.1, 0.9, (rng.integers(2, 5), 2))
        strokes.append(smooth_line(points) if rng.random() < 0.5 else points)
    return draw_strokes(strokes, side, width)


def silhouette(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """A filled thing with some texture: one blob or a few parts, often as broad left as right."""
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    narrow = rng.uniform(0.15, 1, 2) if rng.random() < 0.5 else np.ones(2)
    if rng.random() < 0.4:
        draw.polygon(_blob(side, narrow, rng), 255)
    else:
        for _ in range(rng.integers(1, 6)):
            middle, spread = rng.uniform(0.2, 0.8, 2), rng.uniform(0.05, 0.4, 2)
            middle[0] = 0.5 if rng.random() < 0.4 else middle[0]
            left, top = side * (0.5 + narrow * (np.maximum(middle - spread, 0.02) - 0.5))
            right, bottom = side * (0.5 + narrow * (np.minimum(middle + spread, 0.98) - 0.5))
            if rng.random() < 0.3:
                draw.ellipse((left, top, right, bottom), 255)
            else:
                lean = rng.uniform(-0.15, 0.15, 4) * side * narrow[0]
                upper = [(left + lean[0], top), (right + lean[1], top)]
                draw.polygon([*upper, (right + lean[2], bottom), (left + lean[3], bottom)], 255)
    mask = np.asarray(image, np.float32) / 255
    if rng.random() < 0.6:
        mask = np.maximum(mask, mask[:, ::-1])
    if rng.random() < 0.5:  # a piece cut out, such as between two legs or under a handle
        low, high = np.sort(rng.uniform(0, 1, (2, 2)), axis=0) * side
        middle = side * (1 - narrow[0] * rng.uniform(0.05, 0.4, 2) * [1, -1]) / 2
        low[0], high[0] = np.where(rng.random() < 0.6, np.sort(middle), (low[0], high[0]))
        mask[int(low[1]) : int(high[1]), int(low[0]) : int(high[0])] *= rng.choice([0, rng.random()])
    texture = np.float32(rng.uniform(0.5, 1)) + rng.uniform(0, 0.7) * _texture(side, rng)
    return (255 * np.clip(mask * texture, 0, 1)).astype(np.uint8)


def _blob(side: int, narrow: np.ndarray, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return an outline around the middle that swings in and out."""
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radii = np.full(60, rng.uniform(0.25, 0.38))
    for wave in range(1, 7):
        radii = radii + rng.normal(0, 0.09 / wave) * np.cos(wave * angles + rng.uniform(0, 6))
    points = side / 2 + side * radii[:, None] * np.stack((np.cos(angles), np.sin(angles)), 1) * narrow
    return [tuple(point) for point in points]


def _texture(side: int, rng: np.random.Generator) -> np.ndarray:
    """Return (side, side) float32 around 0, about one high: cloudy, grainy, striped or a gradient."""
    y, x = np.mgrid[:side, :side] / side
    form = rng.random()
    if form < 0.35:
        cells = int(rng.integers(2, 12))
        clouds = Image.fromarray(rng.normal(0, 0.6, (cells, cells)).astype(np.float32))
        return np.asarray(clouds.resize((side, side), Image.Resampling.BICUBIC))
    if form < 0.5:
        return rng.normal(0, 0.5, (side, side)).astype(np.float32)
    if form < 0.75:
        turn = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
        waves = np.sin(2 * np.pi * rng.uniform(1, 12) * (x * np.cos(turn) + y * np.sin(turn)))
        return waves.astype(np.float32)
    return (rng.normal(0, 1) * (x - 0.5) + rng.normal(0, 1) * (y - 0.5)).astype(np.float32)


def noise(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Noise over the whole picture: even or normal, sparse, in cells, cloudy, of any grain."""
    form = rng.random()
    values: np.ndarray
    if form < 0.12:
        values = rng.uniform(0, 255, (side, side))
    elif form < 0.24:
        values = rng.normal(rng.uniform(60, 200), rng.uniform(20, 90), (side, side))
    elif form < 0.45:
        values = np.where(rng.random((side, side)) < rng.uniform(0.01, 0.5), 255, 0)
    elif form < 0.75:
        cells = int(rng.choice([3, 4, 5, 6, 7, 8, 10, 14, 20]))
        coarse = Image.fromarray((255 * rng.random((cells, cells)) ** rng.uniform(0.5, 4)).astype(np.uint8))
        method = rng.choice([Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
        values = np.asarray(coarse.resize((side, side), int(method)), float)
    else:  # clouds: a sum of octaves, cut at some level or not
        values = np.full((side, side), 128.0)
        for octave in range(1, 6):
            values += 128 * _clouds(side, 2**octave, rng) * rng.uniform(0.4, 0.8) ** octave
        if rng.random() < 0.5:
            values = np.where(values > np.quantile(values, rng.uniform(0.3, 0.9)), 255, 0)
    return np.clip(values, 0, 255).astype(np.uint8)


def _clouds(side: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    coarse = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), float)


def scene(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Overlapping areas of different grey, as in a photograph of a street or a room."""
    image = Image.new("L", (side, side), int(rng.integers(256)))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(3, 12)):
        shade = int(rng.integers(256))
        if rng.random() < 0.3:
            corners = np.sort(side * rng.uniform(-0.2, 1.2, (2, 2)), axis=0)
            draw.ellipse((*corners[0], *corners[1]), shade)
        else:
            points = side * rng.uniform(-0.2, 1.2, (rng.integers(3, 6), 2))
            draw.polygon([tuple(point) for point in points], shade)
    values = np.asarray(image, float) + rng.uniform(0, 40) * _texture(side, rng)
    return np.clip(values, 0, 255).astype(np.uint8)


def several_digits(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Two or three digits that touch or nearly so (of those far apart only one is looked at)."""
    size = int(rng.choice([2, 2, 2, 3]))
    parts = [_some_digit(digits, rng) for _ in range(size)]
    parts = [part[:, part.any(axis=0)] for part in parts]
    if rng.random() < 0.3:  # one over the other
        wide = max(part.shape[1] for part in parts)
        parts = [np.pad(part, ((0, 0), (0, wide - part.shape[1]))) for part in parts]
        return _enlarged(np.maximum(parts[0], parts[1][:: rng.choice([-1, 1])]), side)
    canvas = parts[0]
    for part in parts[1:]:
        gap = int(rng.integers(0, max(2, len(part) // 9)))
        canvas = np.concatenate((canvas, np.zeros((len(part), gap), np.float32), part), axis=1)
    return _enlarged(canvas, side)


def turned_digit(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """A digit turned by a right angle or mirrored, where that makes no other digit."""
    form = rng.choice(["turned left", "turned right", "mirrored", "upside down"])
    labels = {"mirrored": (3, 7, 9, 6), "upside down": (4, 6, 7, 9)}.get(str(form), (2, 3, 4, 5, 7))
    picture = _some_digit(digits, rng, labels)
    turns: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "turned left": np.rot90,
        "turned right": lambda one: np.rot90(one, -1),
        "mirrored": lambda one: one[:, ::-1],
        "upside down": lambda one: one[::-1],
    }
    return _enlarged(turns[str(form)](picture), side)


def _some_digit(digits: Examples, rng: np.random.Generator, labels: tuple[int, ...] = ()) -> np.ndarray:
    """Return the picture, (side, side), of a digit, one of `labels` where some are given."""
    chosen = np.flatnonzero(np.isin(digits.labels, labels)) if labels else np.arange(len(digits))
    return digits.pictures[rng.choice(chosen if len(chosen) else len(digits))]


def _enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """Return a picture in [0, 1] as uint8, its height about `side`, with some paper around it."""
    factor = max(1, round(side / len(picture)))
    grown = np.kron(picture, np.ones((factor, factor), np.float32))
    return np.pad(np.rint(255 * grown).astype(np.uint8), 2 * factor)


DRAWINGS: dict[str, Drawing] = {
    "printed letters": printed_letter,
    "written letters": written_letter,
    "other signs": printed_sign,
    "shapes": shape,
    "lattices": lattice,
    "frames": frame,
    "scribbles": scribble,
    "silhouettes": silhouette,
    "noise": noise,
    "scenes": scene,
    "several digits": several_digits,
    "turned digits": turned_digit,
}

# The share of each kind: more of what is nearest to digits.
KINDS = {
    "printed letters": 0.11,
    "written letters": 0.14,
    "other signs": 0.05,
    "shapes": 0.18,
    "lattices": 0.03,
    "frames": 0.06,
    "scribbles": 0.09,
    "silhouettes": 0.15,
    "noise": 0.08,
    "scenes": 0.03,
    "several digits": 0.03,
    "turned digits": 0.05,
}
