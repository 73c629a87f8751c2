"""A gray page -> the digits on it, in rows.

    grey -> find_writing -> find_glyphs -> in_rows -> pixels of each -> one forward pass -> digits
         doubtful ones: their parts -> one more for all of these -> the best path through each -^
         a doubtful one in a row of digits is accepted more readily

Each glyph goes through the same preprocessing as a picture of one digit.
"""

import math
from typing import NamedTuple

import numpy as np

from service.model.classifier import Classifier, Prediction
from service.preprocessing import Geometry, OpenedImage
from service.preprocessing.pipeline import already_normal, frame
from service.reading.glyphs import Glyph, find_glyphs
from service.reading.rows import in_rows
from service.reading.splitting import Part, parts_of
from service.reading.writing import find_writing

MOST_DIGITS = 256
# Larger pages are reduced until the longer side has under 1024 pixels: a hundred digits still have 40 each.
READING_SIDE = 512
_BYTES_PER_PIXEL = 24  # of the page at that size; tests/service/reading/test_memory.py measures it

# A glyph this many times as wide as high, or read with less than this quality, may be several that touch.
WIDE = 1.2
GOOD = 0.6
# Digits are on average at least this wide. A glyph that is narrower for its number of parts is probably a
# letter, such as an m.
WIDTH_EACH = 0.5  # of the height
WIDEST_LETTER = 1.6  # of the height
# What a cut costs, in nats of quality: a fixed amount, and more for each row of ink that it crosses, of ROWS.
CUT_COST = 1.0
INK_COST = 0.15
# If at least this many glyphs of a row, and this share of them, are accepted, the others are accepted more
# readily: with odds of not being a digit up to LENIENCE times the limit, and from LEAST_CONFIDENCE.
NEIGHBORS, NEIGHBORS_SHARE = 2, 0.6
LENIENCE = 100.0
LEAST_CONFIDENCE = 0.4


class Digit(NamedTuple):
    """One answer of a reading: box is left, top, width, height in pixels of the page as sent, upright."""

    prediction: Prediction
    box: tuple[int, int, int, int]


def text_of(row: list[Digit]) -> str:
    """Return the digits of a row that are accepted."""
    return "".join(str(one.prediction.digit) for one in row if one.prediction.accepted)


class Read(NamedTuple):
    """A glyph and its prediction. quality: its confidence, times the probability that it is a digit."""

    glyph: Glyph
    prediction: Prediction
    quality: float


def read_file(opened: OpenedImage, classifier: Classifier) -> list[list[Digit]]:
    """Return the digits of an image opened with READING_SIDE, in rows; slow. Raises ImageError."""
    grey = opened.decode()
    return read(grey, classifier, opened.size)


def reading_bytes(opened: OpenedImage) -> int:
    """Return an upper bound of the memory that `read_file` takes besides the file."""
    pixels = min(opened.pixels, (2 * READING_SIDE) ** 2)
    return opened.decoding_bytes + pixels * _BYTES_PER_PIXEL


def read(grey: np.ndarray, classifier: Classifier, size: tuple[int, int] | None = None) -> list[list[Digit]]:
    """Return the digits of a page, at most MOST_DIGITS, in rows from top to bottom, left to right.

    grey: (height, width) float32 in [0, 255]. size: (width, height) of the page as sent, in whose pixels the
    boxes are; default: that of `grey`. Raises BlankImageError.
    """
    rows = read_glyphs(grey, classifier)
    boxes = _Boxes(grey.shape, size or (grey.shape[1], grey.shape[0]))
    digits = [[Digit(prediction, boxes.of(glyph)) for glyph, prediction, _ in row] for row in rows]
    return _at_most(digits, MOST_DIGITS)


def read_glyphs(grey: np.ndarray, classifier: Classifier) -> list[list[Read]]:
    """Return the glyphs of a page in rows, each with its prediction; arguments as for `read`."""
    ready = already_normal(grey, classifier.artifact.geometry)
    if ready is not None:
        return [[_ready_digit(grey, ready, classifier)]]
    rows = _classified(in_rows(find_glyphs(find_writing(grey), MOST_DIGITS)), classifier)
    return _lenient(_with_touching_split(rows, classifier), classifier)


def _ready_digit(grey: np.ndarray, pixels: np.ndarray, classifier: Classifier) -> Read:
    """Return the prediction for a picture that is normalized already."""
    ink = pixels.reshape(grey.shape)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    glyph = Glyph(int(rows[0]), int(columns[0]), ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return _read(classifier, [glyph], pixels[None])[0]


def _classified(rows: list[list[Glyph]], classifier: Classifier) -> list[list[Read]]:
    """Return each glyph with its prediction, all from one forward pass."""
    read = iter(_classify([glyph for row in rows for glyph in row], classifier))
    return [[next(read) for _ in row] for row in rows]


def _classify(glyphs: list[Glyph], classifier: Classifier) -> list[Read]:
    if not glyphs:
        return []
    return _read(classifier, glyphs, framed(glyphs, classifier.artifact.geometry))


def framed(glyphs: list[Glyph], geometry: Geometry) -> np.ndarray:
    """Return the pixels of glyphs, at least one, (n, side * side) float32."""
    return np.stack([frame(glyph.ink, geometry) for glyph in glyphs])


def _read(classifier: Classifier, glyphs: list[Glyph], pixels: np.ndarray) -> list[Read]:
    limit = classifier.artifact.max_novelty if classifier.artifact.rejector else 0.0
    return [
        Read(glyph, one, one.confidence * max(1 - one.novelty * limit, 1e-6))
        for glyph, one in zip(glyphs, classifier.classify(pixels), strict=True)
    ]


def _with_touching_split(rows: list[list[Read]], classifier: Classifier) -> list[list[Read]]:
    """Return the rows, with each doubtful glyph split if its parts are better digits than the whole."""
    split = [(one, *parts_of(one.glyph)) for row in rows for one in row if _may_be_several(one)]
    read = iter(_classify([part.glyph for *_, parts in split for part in parts], classifier))
    replacements = {}
    for one, seams, parts in split:
        path = best_path(seams, [(part, next(read)) for part in parts])
        if path and path[0] > math.log(one.quality) and _is_wide_enough(one.glyph, len(path[1])):
            replacements[id(one)] = path[1]
    return [[each for one in row for each in replacements.get(id(one), [one])] for row in rows]


def _may_be_several(one: Read) -> bool:
    wide = one.glyph.width / one.glyph.height
    return wide > WIDE or one.quality < GOOD


def _is_wide_enough(glyph: Glyph, count: int) -> bool:
    return glyph.width >= min(WIDTH_EACH * count, WIDEST_LETTER) * glyph.height


def best_path(seams: int, parts: list[tuple[Part, Read]]) -> tuple[float, list[Read]] | None:
    """Return the best sequence of parts that covers a glyph from left to right, and its value in nats.

    seams: the number of seams between the glyph's ends. None if no sequence of two or more parts is accepted.
    """
    best: list[tuple[float, list[Read]] | None] = [(0.0, []), *[None] * (seams + 1)]
    for part, read in sorted(parts, key=lambda each: each[0].last):
        before = best[part.first]
        if before is None or not read.prediction.accepted or part.last - part.first > seams:
            continue
        value = before[0] + math.log(read.quality) - INK_COST * part.cut
        value -= CUT_COST if part.first else 0
        after = best[part.last]
        if after is None or value > after[0]:
            best[part.last] = (value, [*before[1], read])
    return best[-1]


def _lenient(rows: list[list[Read]], classifier: Classifier) -> list[list[Read]]:
    """Return the rows; glyphs among accepted digits are accepted more readily."""
    return [_lenient_row(row, classifier.artifact.max_novelty) for row in rows]


def _lenient_row(row: list[Read], max_novelty: float) -> list[Read]:
    count = sum(one.prediction.accepted for one in row)
    if count < NEIGHBORS or count < NEIGHBORS_SHARE * len(row):
        return row
    limit = max_novelty / (1 - max_novelty) * LENIENCE if max_novelty < 1 else math.inf
    limit = limit / (1 + limit) / max_novelty if math.isfinite(limit) else math.inf  # as novelty
    return [
        one._replace(prediction=one.prediction._replace(accepted=True))
        if one.prediction.confidence >= LEAST_CONFIDENCE and one.prediction.novelty <= limit
        else one
        for one in row
    ]


class _Boxes:
    """Where glyphs are on the page as it was sent, before it was reduced."""

    def __init__(self, shape: tuple[int, ...], size: tuple[int, int]) -> None:
        """shape: (height, width) of the reduced page. size: (width, height) of the page as sent."""
        self._width, self._height = size
        factor = max(1, round(max(size) / max(shape)))
        self._across, self._down = min(factor, self._width), min(factor, self._height)

    def of(self, glyph: Glyph) -> tuple[int, int, int, int]:
        """Return left, top, width and height."""
        left, top = glyph.left * self._across, glyph.top * self._down
        right = min(glyph.right * self._across, self._width)
        bottom = min(glyph.bottom * self._down, self._height)
        return left, top, right - left, bottom - top


def _at_most(rows: list[list[Digit]], most: int) -> list[list[Digit]]:
    """Return the first `most` digits, in rows."""
    kept = []
    for row in rows:
        if row and most:
            kept.append(row[:most])
            most -= len(kept[-1])
    return kept
