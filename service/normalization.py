"""Ink -> the picture a network sees: cut out, scaled, centred.

    ink (n, height, width) -> square box -> area-averaged -> peak 1 -> centre of mass -> pixels

The steps are those that made MNIST (LeCun, Cortes, Burges; re-created step by step in
facebookresearch/qmnist), so an MNIST digit comes out unchanged. The service sends one picture
through, the trainer whole batches of augmented ones: same function, same arithmetic.
"""

from typing import NamedTuple

import numpy as np

# Ink this close to full is not stretched: MNIST peaks at 254 of 255 or more, the 8x8 digits of
# scikit-learn (but for two) at 15 of 16 or more, and both shall pass unchanged.
FULL_PEAK = 0.93


class Geometry(NamedTuple):
    """How a digit lies in the picture that a network sees; stored in each artefact.

    side: height and width of the picture in pixels. digit_side: length in pixels of the longer
    side of the digit's box. With room around the box, the digit's centre of mass is moved to
    the middle by whole pixels; without, the box fills the frame.
    """

    side: int
    digit_side: int

    @property
    def margin(self) -> int:
        """Pixels, on both sides together, between box and frame."""
        return self.side - self.digit_side


MNIST_GEOMETRY = Geometry(side=28, digit_side=20)
DIGITS_GEOMETRY = Geometry(side=8, digit_side=8)


def normalize(inks: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return pixels, (n, side * side), float32 in [0, 1], ink near 1 and background 0.

    inks: (n, height, width), float32 in [0, 1], background exactly 0; each picture must hold
    some ink, or ValueError is raised.
    """
    tops, heights = _extents(np.any(inks, axis=2))
    lefts, widths = _extents(np.any(inks, axis=1))
    sides = np.maximum(heights, widths)  # (n,)
    rows = _area_weights(_starts(tops, heights, sides, inks), sides, inks.shape[1], geometry)
    columns = _area_weights(_starts(lefts, widths, sides, inks), sides, inks.shape[2], geometry)
    boxes = rows @ inks @ columns.transpose(0, 2, 1)  # (n, digit_side, digit_side)
    peaks = boxes.max(axis=(1, 2))
    scales = np.where(peaks < FULL_PEAK, 1 / peaks, 1).astype(np.float32)
    boxes *= scales[:, None, None]
    return _place(boxes, geometry).reshape(len(inks), -1)


def _extents(inked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return first index and length, both (n,), of the inked stretch of each row of (n, length)."""
    if not inked.any(axis=1).all():
        raise ValueError("a picture without ink cannot be normalised")
    first = inked.argmax(axis=1)
    last = inked.shape[1] - 1 - inked[:, ::-1].argmax(axis=1)
    return first, last - first + 1


def _starts(first: np.ndarray, length: np.ndarray, sides: np.ndarray, inks: np.ndarray) -> np.ndarray:
    """Return where the square boxes begin along one axis, (n,); the shorter side is centred.

    A square picture that its digit fills is its own box: a digit of an 8x8 data set keeps its place.
    """
    starts = first - (sides - length + 1) // 2
    if inks.shape[1] == inks.shape[2]:
        starts[sides == inks.shape[1]] = 0
    return starts


def _area_weights(starts: np.ndarray, sides: np.ndarray, length: int, geometry: Geometry) -> np.ndarray:
    """Return the matrices, (n, digit_side, length), that average `length` pixels into `digit_side`.

    Entry (i, j) is the share of output pixel i that input pixel j covers; where the box is as
    long as the output, the matrix is a piece of the identity and pixels pass bit for bit.
    """
    scales = sides / geometry.digit_side  # (n,) input pixels per output pixel
    edges = starts[:, None] + np.arange(geometry.digit_side + 1) * scales[:, None]
    lower = edges[:, :-1, None]
    upper = edges[:, 1:, None]
    pixel = np.arange(length)
    overlap = np.minimum(upper, pixel + 1) - np.maximum(lower, pixel)
    return (np.maximum(overlap, 0) / scales[:, None, None]).astype(np.float32)


def _place(boxes: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return (n, side, side) with each box moved so that its centre of mass is in the middle.

    MNIST's centres of mass lie in (13.5, 14.5], counting pixels from zero: hence the floor. The
    box never leaves the frame.
    """
    if geometry.margin == 0:
        return boxes
    index = np.arange(geometry.digit_side)
    mass = boxes.sum(axis=(1, 2), dtype=np.float64)
    centre_row = boxes.sum(axis=2, dtype=np.float64) @ index / mass
    centre_column = boxes.sum(axis=1, dtype=np.float64) @ index / mass
    middle = geometry.side / 2 + 0.5
    tops = np.clip(np.floor(middle - centre_row), 0, geometry.margin).astype(int)
    lefts = np.clip(np.floor(middle - centre_column), 0, geometry.margin).astype(int)
    placed = np.zeros((len(boxes), geometry.side, geometry.side), np.float32)
    which = np.arange(len(boxes))[:, None, None]
    placed[which, (tops[:, None] + index)[:, :, None], (lefts[:, None] + index)[:, None, :]] = boxes
    return placed
