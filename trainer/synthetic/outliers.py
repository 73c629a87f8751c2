"""Pictures of non-digits, generated from a seed: the rejector learns from them.

    kind -> drawing (ink only) -> paper, light, noise -> one of its readings -> pixels

There are many kinds, each in many forms. Later pictures will be of yet other kinds, so variety matters most
("Deep Anomaly Detection with Outlier Exposure", Hendrycks et al. 2019). Nothing here reads as a digit: no
ring (0), no upright bar (1), no letter such as O, l, Z, S, b or B.
"""

from collections.abc import Callable

import numpy as np

from service.preprocessing import Geometry, ImageError, look_again, read_grey
from service.preprocessing.normalization import normalize
from trainer.data import Examples
from trainer.synthetic.letters import (
    CYRILLIC,
    FONTS,
    GREEK,
    LATIN,
    SIGN_FONT,
    SIGNS,
    STROKES,
    print_letter,
    write_letter,
)
from trainer.synthetic.scenes import noise, scene, scribble, silhouette
from trainer.synthetic.shapes import frame, lattice, shape
from trainer.synthetic.textures import on_paper

SIDES = (28, 28, 40, 56, 80)  # of the drawings, in pixels
MISREAD_SHARE = 0.04
SECOND_LOOKS = 0.1  # of the pictures are shown as a second look at them would
# (side, random numbers, digits to take pieces from) -> about (side, side) uint8, ink 255
Drawing = Callable[[int, np.random.Generator, Examples], np.ndarray]


def make_outliers(count: int, geometry: Geometry, digits: Examples, rng: np.random.Generator) -> np.ndarray:
    """Return pixels as the network sees them, (count, side * side) float32 in [0, 1].

    They are of all KINDS, and a few are digits misread. digits: handwriting to take pieces from.
    """
    kinds = rng.choice(list(KINDS), count, p=list(KINDS.values()))
    pixels = np.empty((count, geometry.side**2), np.float32)
    for row, kind in zip(pixels, kinds, strict=True):
        misread = rng.random() < MISREAD_SHARE
        row[:] = (
            misread_digit(geometry, digits, rng) if misread else make_outlier(kind, geometry, digits, rng)
        )
    return pixels


def make_outlier(kind: str, geometry: Geometry, digits: Examples, rng: np.random.Generator) -> np.ndarray:
    """Return the pixels of one picture that is not blank, (side * side,) float32 in [0, 1].

    kind: one of KINDS. digits: handwriting to take pieces from. A random one of its readings is returned:
    all must be refused.
    """
    while True:
        picture = outlier_picture(kind, digits, rng)
        try:
            readings = read_grey(picture, geometry)
        except ImageError:
            continue  # the service refuses it as too faint or too noisy; draw another
        if rng.random() < SECOND_LOOKS:
            readings = look_again(picture, geometry) or readings
        return readings[int(rng.integers(len(readings)))].pixels


def outlier_picture(kind: str, digits: Examples, rng: np.random.Generator) -> np.ndarray:
    """Return a gray picture, (height, width) float32 in [0, 255], maybe blank; see `make_outlier`."""
    side = int(rng.choice(SIDES))
    return photograph(DRAWINGS[kind](side, rng, digits), rng)


def photograph(drawing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a gray picture, float32 in [0, 255], of a drawing, (side, side) in [0, 255].

    Half of the pictures stay light on dark. The others are ink on paper of random brightness with a
    gradient of light, and some of those have noise or are inverted.
    """
    ink = np.asarray(drawing, np.float32)
    if rng.random() < 0.5:
        return ink
    paper = np.float32(rng.uniform(170, 255))
    light = np.linspace(1, rng.uniform(0.8, 1), len(ink), dtype=np.float32)[:, None]
    gray = on_paper(ink / 255, paper * light, np.float32(rng.uniform(0.6, 1)))
    if rng.random() < 0.4:
        gray = gray + rng.normal(0, rng.uniform(0, 6), gray.shape).astype(np.float32)
    gray = np.clip(gray, 0, 255)
    return gray if rng.random() < 0.8 else 255 - gray


def printed_letter(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw a Latin letter, sometimes two or three, in one of FONTS."""
    length = 1 if rng.random() < 0.85 else rng.integers(2, 4)
    return print_letter("".join(rng.choice(list(LATIN), length)), str(rng.choice(FONTS)), side)


def printed_sign(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw a Greek or Cyrillic letter, or another sign."""
    return print_letter(str(rng.choice(list(GREEK + CYRILLIC + SIGNS))), SIGN_FONT, side)


def written_letter(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw a letter stroke by stroke."""
    return write_letter(str(rng.choice(list(STROKES))), side, rng)


def several_digits(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw two or three digits that touch or nearly touch."""
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
    """Draw a digit rotated by right angles or mirrored, unless that looks like another digit."""
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


def misread_digit(geometry: Geometry, digits: Examples, rng: np.random.Generator) -> np.ndarray:
    """Return the pixels, (side * side,), of a digit that is cut out and read in the wrong polarity."""
    picture = _some_digit(digits, rng, (1, 2, 3, 4, 5, 6, 7, 8, 9))  # a 0 leaves a spot that may be a 1
    rows, columns = (np.flatnonzero(picture.any(axis=axis)) for axis in (1, 0))
    part = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if rng.random() < 0.5:
        part = (part > rng.uniform(0.3, 0.6)).astype(np.float32)
    margin = int(rng.integers(0, 2)) or int(part.min() > 0)  # an upright bar leaves no paper within its box
    paper = 1 - np.pad(part, margin)
    return normalize(paper[None], geometry)[0]


def _some_digit(digits: Examples, rng: np.random.Generator, labels: tuple[int, ...] = ()) -> np.ndarray:
    """Return the picture of a digit, (side, side); labels: the ones to choose from, () for all."""
    chosen = np.flatnonzero(np.isin(digits.labels, labels)) if labels else np.arange(len(digits))
    return digits.pictures[rng.choice(chosen if len(chosen) else len(digits))]


def _enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """Return a picture in [0, 1] as uint8, about `side` high, with a margin around it."""
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

# The share of each kind; kinds that resemble digits have more.
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
