"""Digits drawn stroke by stroke, in the many ways that people write them.

    label -> one way of writing it -> strokes -> slant, stretch, wobble -> pen -> ink -> normalized picture

MNIST was written by Americans: it has few 1s with a flag and a foot, crossed 7s or open 4s. Each function
below draws a family of shapes with random proportions. Coordinates are x to the right and y downwards, both
in about [0, 1] for a digit of full height.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from service.preprocessing import Geometry
from service.preprocessing.normalization import normalize
from trainer.data import Examples
from trainer.synthetic.curves import Stroke, arc, curve, draw_strokes, joined, line

CANVAS = 112  # pixels a side: four times MNIST's frame, so that edges become gray
FINE = 2  # drawn this many times larger, because the pen moves by whole pixels


class Hand:
    """The random choices of one writer."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def between(self, low: float, high: float) -> float:
        """Return a number drawn uniformly from [low, high)."""
        return float(self.rng.uniform(low, high))

    def happens(self, share: float) -> bool:
        """Return True with probability `share`, in [0, 1]."""
        return bool(self.rng.random() < share)


def zero(hand: Hand) -> list[Stroke]:
    """Draw an oval whose ends overlap, leave a gap or cross at the top."""
    start = hand.between(-130, -50)
    return [arc(0.3, 0.5, hand.between(0.45, 0.85), 1, start, start - hand.between(340, 385))]


def one(hand: Hand) -> list[Stroke]:
    """Draw a stem, with or without a flag and a foot."""
    lean = hand.between(-0.04, 0.04)
    stem = line((0.3 + lean, 0), (0.3 - lean, 1))
    flagged = hand.happens(0.8)
    strokes = [stem]
    if flagged:
        reach = hand.between(0.1, 0.42)
        drop = hand.between(max(0.1, 0.65 * reach), 0.52)  # a flat flag would make a 7
        bend = hand.between(-0.04, 0.06)
        tip = (0.3 + lean - reach, drop)
        middle = (0.3 + lean - reach * 0.45, drop * 0.5 + bend)
        strokes = [joined(curve(tip, middle, (0.3 + lean, 0)), stem)]
    if hand.happens(0.5 if flagged else 0.15):
        half, tilt = hand.between(0.1, 0.3), hand.between(-0.03, 0.03)
        strokes.append(line((0.3 - lean - half, 1 + tilt), (0.3 - lean + half, 1 - tilt)))
    return strokes


def two(hand: Hand) -> list[Stroke]:
    """Draw a hook and a base, joined by a corner or by a loop."""
    width = hand.between(0.5, 0.75)
    right, belly = width, hand.between(0.22, 0.34)
    hook = [(hand.between(0, 0.08), hand.between(0.14, 0.3)), (width * 0.45, 0.0), (right, belly)]
    if hand.happens(0.35):
        low = hand.between(0.85, 0.97)
        loop = [(width * 0.45, 0.68), (0.08, 0.97), (0.0, 0.85), (0.16, low - 0.08)]
        return [curve(*hook, *loop, (width * 0.6, 1.0), (width * 1.1, hand.between(0.88, 1.0)))]
    base = hand.between(-0.05, 0.05)
    corner = (hand.between(-0.03, 0.05), 1.0)
    diagonal = curve(*hook, (width * 0.55, hand.between(0.55, 0.66)), corner)
    return [
        joined(diagonal, curve(corner, (width * 0.5, 1 + base), (width * hand.between(0.9, 1.2), 1 - base)))
    ]


def three(hand: Hand) -> list[Stroke]:
    """Draw two bows, or a bow under a flat top."""
    width, waist = hand.between(0.45, 0.7), hand.between(0.38, 0.52)
    inner = width * hand.between(0.25, 0.6)
    lower = [
        (width, (1 + waist) / 2 + 0.02),
        (width * 0.5, 1.0),
        (hand.between(-0.05, 0.05), hand.between(0.8, 0.95)),
    ]
    if hand.happens(0.3):
        top = line((0.02, hand.between(0, 0.06)), (width * 0.95, 0), (inner, waist))
        return [joined(top, curve((inner, waist), (width * 0.8, waist + 0.08), *lower))]
    upper = [
        (hand.between(-0.03, 0.06), hand.between(0.08, 0.2)),
        (width * 0.5, 0.0),
        (width * 0.92, waist / 2),
    ]
    return [joined(curve(*upper, (inner, waist)), curve((inner, waist), (width * 0.8, waist + 0.06), *lower))]


def four(hand: Hand) -> list[Stroke]:
    """Draw an open 4 or a closed one, with angular or curved strokes."""
    width, bar, stem = hand.between(0.5, 0.75), hand.between(0.5, 0.72), hand.between(0.6, 0.85)
    x = width * stem
    over = hand.between(0, 0.18)
    if hand.happens(0.6):
        top = (hand.between(0.05, 0.3), hand.between(0, 0.1))
        left = (hand.between(-0.03, 0.08), bar)
        arm = (
            joined(line(top, left), line(left, (x + over, bar + hand.between(-0.06, 0.04))))
            if hand.happens(0.6)
            else curve(top, (left[0] - 0.02, bar * 0.75), (left[0] + 0.1, bar), (x + over, bar - 0.02))
        )
        return [arm, line((x + hand.between(-0.04, 0.08), hand.between(-0.02, 0.35)), (x, 1))]
    apex = (x, 0.0)
    side = line(apex, (0.0, bar), (width + over, bar + hand.between(-0.04, 0.04)))
    return [side, line(apex, (x + hand.between(-0.04, 0.04), 1))]


def five(hand: Hand) -> list[Stroke]:
    """Draw a bow under a neck, with a bar on top that joins it, misses it or overhangs."""
    width, neck = hand.between(0.45, 0.65), hand.between(0.35, 0.5)
    lean = hand.between(0.0, 0.1)
    bow = curve(
        (lean * 0.5, neck),
        (width * 0.6, neck - hand.between(0.0, 0.08)),
        (width, (1 + neck) / 2),
        (width * 0.5, 1.0),
        (hand.between(-0.08, 0.05), hand.between(0.8, 0.97)),
    )
    hat_end = (width * hand.between(0.85, 1.35), hand.between(-0.08, 0.05))
    if hand.happens(0.45):
        return [joined(line(hat_end, (lean, 0.0), (lean * 0.5, neck)), bow)]
    gap = hand.between(-0.05, 0.07)
    return [
        joined(line((lean, 0.0), (lean * 0.5, neck)), bow),
        line((lean + gap, hand.between(-0.03, 0.05)), hat_end),
    ]


def six(hand: Hand) -> list[Stroke]:
    """Draw a stem that curls into a bowl, large or small."""
    width, top = hand.between(0.42, 0.68), hand.between(0.38, 0.62)
    tip = (width * hand.between(0.5, 1.15), hand.between(-0.02, 0.06))
    close = (hand.between(0.0, 0.16), hand.between(0.62, 0.85))
    bend = hand.between(0.05, 0.22) if hand.happens(0.7) else width * 0.35
    return [
        curve(
            tip,
            (bend, 0.33),
            (0.0, 0.7),
            (width * 0.45, 1.0),
            (width, (1 + top) / 2),
            (width * 0.55, top),
            close,
        )
    ]


def seven(hand: Hand) -> list[Stroke]:
    """Draw a bar and a stem, with or without a stroke across and a serif on the left."""
    width = hand.between(0.5, 0.8)
    foot = (hand.between(0.05, 0.4), 1.0)
    corner = (width, hand.between(-0.02, 0.06))
    bend = hand.between(-0.1, 0.02)
    stem = curve(corner, ((corner[0] + foot[0]) / 2 + bend, hand.between(0.45, 0.55)), foot)
    left = (0.0, hand.between(0, 0.1))
    bar = (
        line(left, corner)
        if hand.happens(0.6)
        else curve(left, (width * 0.4, hand.between(-0.03, 0.1)), corner)
    )
    if hand.happens(0.25):
        bar = joined(line((left[0] - 0.01, hand.between(0.12, 0.25)), left), bar)
    strokes = [joined(bar, stem)]
    if hand.happens(0.5):
        y = hand.between(0.4, 0.6)
        x = corner[0] + (foot[0] - corner[0]) * y + bend * 0.8
        reach, tilt = hand.between(0.12, 0.28), hand.between(-0.05, 0.05)
        strokes.append(line((x - reach, y + tilt), (x + reach, y - tilt)))
    return strokes


def eight(hand: Hand) -> list[Stroke]:
    """Draw two loops in one stroke, or two ovals one above the other."""
    width, waist = hand.between(0.42, 0.65), hand.between(0.4, 0.54)
    upper = width * hand.between(0.65, 1.0)
    if hand.happens(0.3):
        lap = hand.between(-0.03, 0.06)
        return [
            arc(width / 2, waist / 2, upper, waist + lap, -90, 270 + hand.between(-25, 20)),
            arc(width / 2, (1 + waist) / 2, width, 1 - waist + lap, -90, 270 + hand.between(-25, 20)),
        ]
    middle, half = width / 2, upper / 2
    start = (middle + half * hand.between(0.5, 1.0), hand.between(0.05, 0.16))
    end = (middle + half * hand.between(0.2, 1.0), hand.between(0.02, 0.2))
    return [
        curve(
            start,
            (middle, 0.0),
            (middle - half, waist * 0.5),
            (middle, waist),
            (width, (1 + waist) / 2 + 0.02),
            (middle, 1.0),
            (0.0, (1 + waist) / 2 + 0.02),
            (middle, waist),
            (middle + half, waist * 0.5),
            end,
        )
    ]


def nine(hand: Hand) -> list[Stroke]:
    """Draw a bowl and a stem that is straight, bent or hooked."""
    width, bowl = hand.between(0.42, 0.65), hand.between(0.4, 0.6)
    start = hand.between(-60, 0)
    circle = arc(width / 2, bowl / 2, width, bowl, start, start - hand.between(300, 350))
    top = (width, hand.between(0.05, 0.3))
    foot = (width * hand.between(0.4, 1.1), 1.0)
    if hand.happens(0.35):
        hook = (hand.between(0.0, 0.15), hand.between(0.82, 0.95))
        stem = curve(top, (width * 0.98, 0.62), (width * 0.55, 1.0), hook)
    else:
        stem = curve(top, ((width + foot[0]) / 2 + hand.between(-0.02, 0.06), 0.55), foot)
    return [joined(circle, stem)] if hand.happens(0.6) else [circle, stem]


DRAWERS: tuple[Callable[[Hand], list[Stroke]], ...] = (
    zero,
    one,
    two,
    three,
    four,
    five,
    six,
    seven,
    eight,
    nine,
)  # by digit


def draw_digits(count: int, geometry: Geometry, rng: np.random.Generator) -> Examples:
    """Return `count` drawn digits, all ten equally often, normalized like any other picture.

    Their pictures are (count, side, side) float32, with the side of `geometry`.
    """
    labels = np.arange(count) % len(DRAWERS)
    inks = (pen(unsteady(DRAWERS[label](Hand(rng)), rng), pen_width(rng)) for label in labels)
    pixels = np.concatenate([normalize(ink[None], geometry) for ink in inks])
    return Examples(pixels.reshape(-1, geometry.side, geometry.side), labels)


def pen_width(rng: np.random.Generator) -> float:
    """Return the pen's width as a share of the digit's height: from a fineliner to a felt tip."""
    return float(np.exp(rng.uniform(np.log(0.05), np.log(0.2))))


def unsteady(strokes: list[Stroke], rng: np.random.Generator) -> list[Stroke]:
    """Return the strokes as a hand would draw them: stretched, slanted, rotated and wobbling."""
    slant, angle = np.radians(rng.normal(8, 10)), np.radians(rng.normal(0, 5))
    stretch = rng.uniform(0.75, 1.25)
    shear = np.array([[stretch, 0], [-np.tan(np.clip(slant, -0.5, 0.6)), 1]])
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    wobble = rng.normal(0, 0.02, (4, 2)) / np.arange(1, 5)[:, None]
    moved = []
    for stroke in strokes:
        path = (stroke - (0.3, 0.5)) @ shear @ rotation
        # Slow waves over the page move neighboring points equally, so that strokes stay joined.
        waves = [np.sin(2 * np.pi * (k + 1) * (path[:, [1]] + 0.3)) for k in range(4)]
        moved.append(path + np.hstack(waves) @ wobble)
    return moved


def pen(strokes: list[Stroke], width: float) -> np.ndarray:
    """Return the ink of strokes fitted into the canvas, (CANVAS, CANVAS) float32 in [0, 1].

    width: of the pen, as a share of the drawing's longer side.
    """
    points = np.vstack(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    height = 0.72 * CANVAS * FINE
    scale = height / max(*(high - low), 1e-6)
    placed = [(stroke - (low + high) / 2) * scale + CANVAS * FINE / 2 for stroke in strokes]
    ink = draw_strokes(placed, CANVAS * FINE, round(max(FINE, width * height)))
    return np.asarray(Image.fromarray(ink).reduce(FINE), np.float32) / np.float32(255)
