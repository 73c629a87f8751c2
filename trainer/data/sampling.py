"""Reading pictures between their pixels, by bilinear interpolation.

pictures, a row and a column for each output pixel -> NumPy (always there) or OpenCV (faster) -> pictures

OpenCV's pixels differ from NumPy's by about a thousandth, enough to change the last bits of trained weights.
So a setting chooses between them, which the model file records, and not what happens to be installed.
"""

from collections.abc import Callable

import numpy as np

from trainer.errors import UsageError

INSTALL = "pip install -r trainer/requirements-opencv.txt"
TALLEST = 8_000  # rows that OpenCV reads from at once: float32 numbers them to less than a thousandth


def sample(pictures: np.ndarray, rows: np.ndarray, columns: np.ndarray, sampling: str) -> np.ndarray:
    """Return `pictures` read at fractional (rows, columns), 0 outside, (n, side, side) float32.

    pictures, rows, columns: (n, side, side) float32. rows and columns are overwritten: this is the slowest
    step of a distortion, and each temporary array would cost another pass over memory. sampling: "numpy" or
    "opencv". Raises UsageError if OpenCV is not installed.
    """
    return _with_opencv(pictures, rows, columns) if sampling == "opencv" else _read(pictures, rows, columns)


def _read(pictures: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    n, side, _ = pictures.shape
    wide = side + 2  # one pixel of background around, so that reading outside gives 0
    padded = np.zeros((n, wide, wide), np.float32)
    padded[:, 1:-1, 1:-1] = pictures
    flat = padded.reshape(-1)
    for coordinates in (rows, columns):
        np.add(coordinates, 1, out=coordinates)
        np.clip(coordinates, 0, side + 0.999, out=coordinates)
    top, left = np.floor(rows), np.floor(columns)
    rows -= top  # now the share of the lower row; likewise the share of the right column
    columns -= left
    top *= wide
    top += left
    first = top.astype(np.intp)
    first += (np.arange(n) * wide * wide)[:, None, None]
    upper = _between(flat.take(first), flat[1:].take(first), columns)
    lower = _between(flat[wide:].take(first), flat[wide + 1 :].take(first), columns)
    return _between(upper, lower, rows)


def _between(start: np.ndarray, end: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return start + share (end - start) in the memory of `start`; `end` is overwritten."""
    end -= start
    end *= share
    start += end
    return start


def _with_opencv(pictures: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Read all pictures at once, one below the other with an empty row between them."""
    remap, linear = _opencv()
    n, side, _ = pictures.shape
    result = np.empty_like(pictures)
    for part in np.array_split(np.arange(n), -(-n * (side + 1) // TALLEST)):
        chosen = slice(part[0], part[-1] + 1)
        tall = np.zeros((len(part), side + 1, side), np.float32)
        tall[:, :side] = pictures[chosen]
        place = rows[chosen]
        np.clip(place, -1, side, out=place)
        place += (np.arange(len(part), dtype=np.float32) * (side + 1))[:, None, None]
        read = remap(
            tall.reshape(-1, side), columns[chosen].reshape(-1, side), place.reshape(-1, side), linear
        )
        result[chosen] = read.reshape(place.shape)
    return result


def _opencv() -> tuple[Callable[..., np.ndarray], int]:
    """Return OpenCV's function that reads between pixels, with 0 outside, and its name for bilinear."""
    try:
        import cv2
    except ImportError as error:
        raise UsageError(f"the sampling opencv needs OpenCV: {INSTALL}") from error
    cv2.setNumThreads(1)  # the other cores train on the batch before
    return cv2.remap, cv2.INTER_LINEAR
