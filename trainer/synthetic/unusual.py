"""Digits in forms that MNIST's writers did not use, or stored in ways that MNIST does not.

    label -> strokes -> own form -> stretch, slant, tails -> fine pen | brush | pixels -> normalized picture
    picture of a digit -> cut out -> small, stretched to a square, two-level ----------> normalized picture

They teach the rejector to accept unusual digits: a ring as wide as high is still a zero, and a digit drawn
with a pen of one pixel is still a digit.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from service.preprocessing import Geometry
from service.preprocessing.pipeline import frame
from trainer.data import Examples
from trainer.synthetic.curves import Stroke, arc, curve, draw_strokes, joined, line
from trainer.synthetic.digits import CANVAS, DRAWERS, FINE, Hand, unsteady

EXTRA_ZEROS = 3  # for every ten digits: a rejector that has seen few takes a wide thin ring for a shape
OWN_SHARE = 0.5  # of the digits that have a form below are drawn in it
THINNEST, THICKEST = 0.01, 0.3  # pens, as shares of the digit's height
RESAMPLED_SIDES = (10, 48)  # pixels of the longer side of a resampled digit
SQUARE_SHARE, TWO_LEVEL_SHARE = 0.4, 0.6
FAINTEST = 0.02
PIXEL_SIDES = (14, 40)  # of drawings by a pen of one pixel


def round_zero(hand: Hand) -> list[Stroke]:
    """Draw a ring from flat to upright: open, closed or overlapping, sometimes with a loop where it ends."""
    width = hand.between(0.6, 1.35)
    start = hand.between(-170, -10)
    turn = hand.between(335, 400)
    ring = arc(0.5, 0.5, width, 1, start, start - turn)
    angles = np.linspace(0, 2 * np.pi, len(ring))
    ring += 0.02 * np.column_stack((np.sin(2 * angles + hand.between(0, 6)), np.sin(3 * angles)))
    if hand.happens(0.15):  # from its end into the ring
        end = ring[-1]
        inwards = (0.5 + 0.6 * (end[0] - 0.5), 0.5 + 0.5 * (end[1] - 0.5))
        return [joined(ring, curve(tuple(end), inwards))]
    return [ring]


def slanted_one(hand: Hand) -> list[Stroke]:
    """Draw a stem that leans, often on a long foot, or with a flag as long as itself."""
    lean = hand.between(-0.25, 0.4)
    stem = line((0.3 + lean, 0), (0.3 - lean / 3, 1))
    strokes = [stem]
    if hand.happens(0.6):
        strokes.append(line((0.3 + lean - hand.between(0.1, 0.4), hand.between(0.15, 0.45)), (0.3 + lean, 0)))
    if hand.happens(0.6):
        half = hand.between(0.15, 0.4)
        strokes.append(line((0.3 - lean / 3 - half, 1), (0.3 - lean / 3 + half, 1)))
    return strokes


def flat_seven(hand: Hand) -> list[Stroke]:
    """Draw a 7 with a wide bar, sometimes with a foot and a stroke across."""
    width, foot = hand.between(0.6, 1.1), hand.between(0.0, 0.6)
    strokes = [line((0, hand.between(0, 0.1)), (width, 0), (width * foot, 1))]
    if hand.happens(0.3):
        strokes.append(line((width * foot - 0.15, 1), (width * foot + 0.15, 1)))
    if hand.happens(0.4):
        middle = width * (1 + foot) / 2
        strokes.append(line((middle - 0.2, 0.5), (middle + 0.2, hand.between(0.42, 0.55))))
    return strokes


def open_eight(hand: Hand) -> list[Stroke]:
    """Draw an 8 in one stroke that does not come back to where it began."""
    width, waist = hand.between(0.4, 0.9), hand.between(0.38, 0.55)
    gap = hand.between(0.05, 0.3)
    half = width / 2
    return [
        curve(
            (half + gap, hand.between(0, 0.12)),
            (half * 0.6, 0.02),
            (0.06 * width, waist * 0.5),
            (half, waist),
            (width, (1 + waist) / 2),
            (half, 1.0),
            (0.0, (1 + waist) / 2),
            (half, waist),
            (half + gap * hand.between(0.6, 1.4), hand.between(0.05, 0.22)),
        )
    ]


OWN: dict[int, Callable[[Hand], list[Stroke]]] = {
    0: round_zero,
    1: slanted_one,
    7: flat_seven,
    8: open_eight,
}


def draw_unusual(count: int, geometry: Geometry, rng: np.random.Generator) -> Examples:
    """Return `count` unusual digits, zeros more often than others, normalized like any other picture.

    Their pictures are (count, side, side) float32, with the side of `geometry`.
    """
    labels = np.arange(count) % (len(DRAWERS) + EXTRA_ZEROS)
    labels[labels >= len(DRAWERS)] = 0
    pixels = [frame(_draw(int(label), rng), geometry) for label in labels]
    return Examples(np.concatenate(pixels).reshape(-1, geometry.side, geometry.side), labels)


def _draw(label: int, rng: np.random.Generator) -> np.ndarray:
    """Return the ink of one digit, (height, width) float32 in [0, 1]."""
    hand = Hand(rng)
    own = label in OWN and hand.happens(OWN_SHARE)
    strokes = (OWN[label] if own else DRAWERS[label])(hand)
    strokes = unsteady(strokes, rng)
    wide = 1.0 if label == 1 else float(np.exp(rng.uniform(-0.25, 0.4)))
    strokes = [stroke * (wide, 1) for stroke in strokes]
    if hand.happens(0.2):
        strokes = [_with_tail(stroke, hand) for stroke in strokes]
    if hand.happens(0.2):
        side = int(rng.integers(*PIXEL_SIDES))
        return draw_strokes(_placed(strokes, side + 4, side), side + 4, 1) / np.float32(255)
    side = CANVAS * FINE
    placed = _placed(strokes, side, 0.72 * side)
    width = max(1.0, 0.72 * side * float(np.exp(rng.uniform(np.log(THINNEST), np.log(THICKEST)))))
    ink = _brushed(placed, side, width, hand) if hand.happens(0.3) else draw_strokes(placed, side, width)
    return np.asarray(Image.fromarray(ink).reduce(FINE), np.float32) / np.float32(255)


def _with_tail(stroke: Stroke, hand: Hand) -> Stroke:
    """Return a stroke that begins or ends in a short hook, as if the pen were set down or lifted fast."""
    end = stroke[-1]
    away = end + (hand.between(-0.12, 0.12), hand.between(-0.12, 0.12))
    return np.vstack((stroke, away)) if hand.happens(0.5) else np.vstack((stroke[0] + (away - end), stroke))


def _placed(strokes: list[Stroke], side: int, length: float) -> list[Stroke]:
    """Return strokes in pixels, in the middle of a square, their longer side `length`."""
    points = np.vstack(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = length / max(*(high - low), 1e-6)
    return [(stroke - (low + high) / 2) * scale + side / 2 for stroke in strokes]


def _brushed(strokes: list[Stroke], side: int, width: float, hand: Hand) -> np.ndarray:
    """Return strokes, (side, side) uint8, by a brush: broader along one direction, thinner at its ends."""
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    direction, contrast = hand.between(0, np.pi), hand.between(0.3, 0.8)
    dot = hand.between(1, 1.8) if hand.happens(0.3) else 1.0  # ink that gathers where the brush is set down
    for stroke in strokes:
        steps = np.hypot(*np.diff(stroke, axis=0).T)
        length = max(float(steps.sum()), 1.0)
        places = np.linspace(0, length, max(2, round(length / 2)))
        along = np.concatenate(([0], np.cumsum(steps)))
        path = np.column_stack([np.interp(places, along, axis) for axis in stroke.T])
        moving = np.gradient(path, axis=0)
        angle = np.arctan2(moving[:, 1], moving[:, 0]) - direction
        radii = width / 2 * (1 - contrast * np.cos(angle) ** 2)
        radii[: max(1, len(radii) // 12)] *= dot
        radii[-max(1, len(radii) // 8) :] *= np.linspace(1, hand.between(0.3, 1), max(1, len(radii) // 8))
        for (x, y), radius in zip(path, np.maximum(radii, 0.5), strict=True):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image)


def resample_digits(digits: Examples, geometry: Geometry, rng: np.random.Generator) -> Examples:
    """Return digits as data sets and segmentation steps keep them: small, square, in black and white."""
    pixels = [frame(_resampled(picture, rng), geometry) for picture in digits.pictures]
    return Examples(np.stack(pixels).reshape(digits.pictures.shape), digits.labels)


def _resampled(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the ink of a digit cut out of its picture and scaled, (height, width) float32 in [0, 1]."""
    rows, columns = (np.flatnonzero(picture.any(axis=axis)) for axis in (1, 0))
    part = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    length = int(rng.integers(*RESAMPLED_SIDES))
    height, width = (max(3, round(length * side / max(part.shape))) for side in part.shape)
    if rng.random() < SQUARE_SHARE:
        height = width = length
    method = rng.choice([Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.NEAREST])
    scaled = np.asarray(Image.fromarray(part).resize((width, height), int(method))).clip(0, 1)
    if rng.random() < TWO_LEVEL_SHARE:
        level = rng.uniform(0.3, 0.6)
        scaled = (scaled > min(level, 0.9 * float(scaled.max()))).astype(np.float32)
    return np.where(scaled < FAINTEST, np.float32(0), scaled)
