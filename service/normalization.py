"""Ink -> the picture a network sees: cut out, scaled, centred.

    ink (n, height, width) -> square box -> area-averaged -> peak 1 -> centre of mass -> pixels
                           -> handprint.py, for a frame without room around the box -^

The steps are those that made MNIST (LeCun, Cortes, Burges; re-created step by step in
facebookresearch/qmnist), so an MNIST digit comes out unchanged; those of handprint.py made the 8x8
digits of scikit-learn. The service sends one picture through, the trainer whole batches of augmented
ones: same function, same arithmetic.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from service.handprint import area_weights, stand

# Ink this close to full is not stretched: MNIST peaks at 254 of 255 or more, the 8x8 digits of
# scikit-learn (but for two) at 15 of 16 or more, and both shall pass unchanged.
FULL_PEAK = 0.93


class Geometry(NamedTuple):
    """How a digit lies in the picture that a network sees; stored in each artefact.

    side: height and width of the picture in pixels. digit_side: length in pixels of the longer
    side of the digit's box. With room around the box, the digit's centre of mass is moved to
    the middle by whole pixels; without, the digit is as high as the frame and stands in its middle.
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
    boxes = np.empty((len(inks), geometry.digit_side, geometry.digit_side), np.float32)
    for ink, box in zip(inks, boxes, strict=True):
        fit = _fit if geometry.margin or ink.shape == box.shape else _stand
        fit(ink, box)
    peaks = boxes.max(axis=(1, 2), keepdims=True)
    if peaks.min() < FULL_PEAK:
        boxes /= np.where(peaks < FULL_PEAK, peaks, 1)
    return _place(boxes, geometry).reshape(len(inks), -1)


def _fit(ink: np.ndarray, box: np.ndarray) -> None:
    """Write what `ink`, (height, width), holds into the square `box`, its longer side filling it.

    The shorter side is centred. A square picture that its digit fills is its own box: a digit of an
    8x8 data set keeps its place.
    """
    top, bottom = _extent(np.any(ink, axis=1))
    left, right = _extent(np.any(ink, axis=0))
    height, width = bottom - top, right - left
    side = max(height, width)
    if ink.shape == (side, side):
        down, across = top, left
    else:
        down, across = (side - height + 1) // 2, (side - width + 1) // 2
    rows = _area_weights(down, height, side, len(box))
    columns = _area_weights(across, width, side, len(box))
    np.matmul(rows @ ink[top:bottom, left:right], columns.T, out=box)


def _stand(ink: np.ndarray, box: np.ndarray) -> None:
    """Write what `ink`, (height, width), holds into the square `box`, which is the whole frame."""
    top, bottom = _extent(np.any(ink, axis=1))
    left, right = _extent(np.any(ink, axis=0))
    box[...] = stand(ink[top:bottom, left:right], len(box))


def _extent(inked: np.ndarray) -> tuple[int, int]:
    """Return where the inked stretch of a row of bools begins and ends, the end exclusive."""
    indices = inked.nonzero()[0]
    if not indices.size:
        raise ValueError("a picture without ink cannot be normalised")
    return int(indices[0]), int(indices[-1]) + 1


@lru_cache(maxsize=1024)  # of 20 kB at most; a batch of 28x28 pictures needs a few hundred
def _area_weights(start: int, length: int, side: int, digit_side: int) -> np.ndarray:
    """Return the matrix, (digit_side, length), that averages a box of `side` pixels into `digit_side`.

    The `length` pixels begin at `start` of the box. Where the box is as long as the output, the matrix
    is a piece of the identity and pixels pass bit for bit.
    """
    weights = area_weights(start, length, side, digit_side)
    weights.flags.writeable = False  # shared by all pictures of this size
    return weights


def _place(boxes: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return (n, side, side) with each box moved so that its centre of mass is in the middle.

    MNIST's centres of mass lie in (13.5, 14.5], counting pixels from zero: hence the floor. The
    box never leaves the frame.
    """
    if geometry.margin == 0:
        return boxes
    length = geometry.digit_side
    placed = np.zeros((len(boxes), geometry.side, geometry.side), np.float32)
    tops, lefts = (_room_before(boxes.sum(axis=axis, dtype=np.float64), geometry) for axis in (2, 1))
    for picture, box, top, left in zip(placed, boxes, tops, lefts, strict=True):
        picture[top : top + length, left : left + length] = box
    return placed


def _room_before(sums: np.ndarray, geometry: Geometry) -> list[int]:
    """Return the pixels of background before each box, from the (n, digit_side) sums along one axis."""
    centres = sums @ np.arange(geometry.digit_side, dtype=np.float64) / sums.sum(axis=1)
    room = np.floor(geometry.side / 2 + 0.5 - centres).astype(int).tolist()
    return [min(max(pixels, 0), geometry.margin) for pixels in room]
