"""Ink -> the picture that a network sees: cut out, scaled, centered.

    ink (n, height, width) -> square box -> area-averaged -> peak 1 -> center of mass -> pixels
                           -> handprint.py, for a frame without room around the box -^

The steps are those that made MNIST (LeCun, Cortes, Burges; re-created step by step in
facebookresearch/qmnist), so an MNIST digit comes out unchanged; the steps in handprint.py made the 8x8
digits of scikit-learn. The service normalizes single pictures and the trainer whole batches of augmented
ones, with the same function and the same arithmetic.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from service.preprocessing.handprint import area_weights, stand

# Ink this close to full is not stretched: MNIST peaks at 254 of 255 or more, the 8x8 digits of
# scikit-learn (except two) at 15 of 16 or more.
FULL_PEAK = 0.93
# The darkest ink of those two: they must pass unchanged, too.
LEAST_PEAK = 14 / 16 - 0.01
# MNIST's centers of mass lie no further than this from the middle, in pixels.
OFF_CENTER = 0.55


class Geometry(NamedTuple):
    """How a digit lies in the picture that a network sees; stored in each artifact.

    side: height and width of the picture in pixels. digit_side: length in pixels of the longer
    side of the digit's box. With room around the box, the digit's center of mass is moved to
    the middle by whole pixels; without, the digit is as high as the frame and stands in its middle.
    """

    side: int
    digit_side: int

    @property
    def margin(self) -> int:
        """Pixels between box and frame, both sides together."""
        return self.side - self.digit_side


MNIST_GEOMETRY = Geometry(side=28, digit_side=20)
DIGITS_GEOMETRY = Geometry(side=8, digit_side=8)


def normalize(inks: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return pixels, (n, side * side), float32 in [0, 1], ink near 1 and background 0.

    inks: (n, height, width), float32 in [0, 1], background exactly 0; each picture must hold
    some ink, or ValueError is raised.
    """
    length = geometry.digit_side
    boxes = np.empty((len(inks), length, length), np.float32)
    for ink, box in zip(inks, boxes, strict=True):
        cut = _cut(ink)
        if geometry.margin or ink.shape == box.shape:
            _fit(ink, cut, box)
        else:
            box[...] = stand(_part(ink, cut), length)
        if (peak := _most(box)) < FULL_PEAK:
            np.divide(box, peak, out=box)
    if not geometry.margin:
        return boxes.reshape(len(inks), -1)
    placed = np.zeros((len(inks), geometry.side, geometry.side), np.float32)
    for picture, box, (top, left) in zip(placed, boxes, _corners(boxes, geometry), strict=True):
        picture[top : top + length, left : left + length] = box
    return placed.reshape(len(inks), -1)


def is_normal(ink: np.ndarray, geometry: Geometry) -> bool:
    """Return whether `normalize` would leave a picture, (side, side) float32 in [0, 1], unchanged.

    It is if its digit is black enough, has the right length, and its center of mass is in the middle, or as
    near as the frame allows: this is cheaper than making the pixels and comparing them, above all when the
    answer is no. A pixel less of length, as in some digits of MNIST, is right as well.
    """
    if _most(ink) < (FULL_PEAK if geometry.margin else LEAST_PEAK):
        return False
    cut = _cut(ink)
    if not geometry.margin:
        return cut.side == geometry.side
    if not geometry.digit_side - 1 <= cut.side <= geometry.digit_side:
        return False
    mass, down, across = (ink.reshape(-1) @ _pixel_moments(geometry.side)).tolist()
    middle = geometry.side / 2
    if max(abs(down / mass - middle), abs(across / mass - middle)) < OFF_CENTER:
        return True
    if cut.side != geometry.digit_side:
        return False
    top, left = cut.top - cut.down, cut.left - cut.across  # of the box in the frame
    return (top, left) == (_corner(down / mass - top, geometry), _corner(across / mass - left, geometry))


def _most(values: np.ndarray) -> float:
    """Return the largest of some values; ndarray.max takes twice as long."""
    return float(values.item(values.argmax()))


class _Cut(NamedTuple):
    """Where the content of a picture is: `height` x `width` pixels from (top, left).

    It goes into a square box of `side` pixels, from (down, across).
    """

    top: int
    left: int
    height: int
    width: int
    side: int
    down: int
    across: int


def _cut(ink: np.ndarray) -> _Cut:
    """Return where the content of a picture, (height, width), is and where it goes in its box.

    The shorter side is centered. A square picture that its digit fills is its own box, so a digit from an
    8x8 data set keeps its place.
    """
    top, left, height, width = box_of(ink.astype(bool))
    if not height:
        raise ValueError("a picture without ink cannot be normalized")
    side = max(height, width)
    if ink.shape == (side, side):
        return _Cut(top, left, height, width, side, top, left)
    return _Cut(top, left, height, width, side, (side - height + 1) // 2, (side - width + 1) // 2)


def box_of(inked: np.ndarray) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of what is set in a mask, (height, width) bool; zeros for nothing."""
    # Searching bytes takes a fifth of the time of array operations on so few values.
    pixels, columns = inked.tobytes(), np.logical_or.reduce(inked, axis=0).tobytes()
    left = columns.find(1)
    if left < 0:
        return 0, 0, 0, 0
    top, bottom = pixels.find(1) // inked.shape[1], pixels.rfind(1) // inked.shape[1] + 1
    return top, left, bottom - top, columns.rfind(1) + 1 - left


def _part(ink: np.ndarray, cut: _Cut) -> np.ndarray:
    """Return the part of a picture that is cut out."""
    return ink[cut.top : cut.top + cut.height, cut.left : cut.left + cut.width]


def _fit(ink: np.ndarray, cut: _Cut, box: np.ndarray) -> None:
    """Write the part of a picture that is cut out into the square `box`; its longer side fills the box."""
    rows = _area_weights(cut.down, cut.height, cut.side, len(box))
    columns = _area_weights(cut.across, cut.width, cut.side, len(box))
    np.matmul(rows @ _part(ink, cut), columns.T, out=box)


@lru_cache(maxsize=1024)  # 20 kB each at most; a batch of 28x28 pictures needs a few hundred
def _area_weights(start: int, length: int, side: int, digit_side: int) -> np.ndarray:
    """Return the matrix, (digit_side, length), that averages a box of `side` pixels into `digit_side`.

    The `length` pixels begin at `start` of the box. Where the box is as long as the output, the matrix
    is a piece of the identity and pixels pass bit for bit.
    """
    weights = area_weights(start, length, side, digit_side)
    weights.flags.writeable = False  # shared by all pictures of this size
    return weights


def _corners(boxes: np.ndarray, geometry: Geometry) -> list[tuple[int, int]]:
    """Return (top, left) of each of (n, digit_side, digit_side) boxes in its frame.

    The center of mass comes to the middle of the frame, as far as the box stays inside. MNIST's centers
    of mass lie in (13.5, 14.5], counting pixels from zero, which is why the result is rounded down.
    """
    moments = boxes.reshape(len(boxes), -1) @ _pixel_moments(geometry.digit_side)  # (n, 3)
    return [
        (_corner(down / mass, geometry), _corner(across / mass, geometry))
        for mass, down, across in moments.tolist()
    ]


def _corner(center: float, geometry: Geometry) -> int:
    """Return where a box begins along one axis of its frame; center: of its mass, from where it begins."""
    return min(max(math.floor(geometry.side / 2 + 0.5 - center), 0), geometry.margin)


@lru_cache(maxsize=16)
def _pixel_moments(length: int) -> np.ndarray:
    """Return what each pixel of a square box adds to its mass and moments, (length * length, 3).

    The columns are one, the pixel's row and its column, in float64 to keep rounding errors small.
    """
    rows, columns = np.mgrid[:length, :length].reshape(2, -1)
    moments = np.stack((np.ones(length * length), rows, columns), axis=1)
    moments.flags.writeable = False
    return moments
