"""A loaded picture in any mode -> a small gray one that shows its ink best.

picture -> averaged down, strip by strip -> RGB, RGBA, L or F -> transparency laid on white
        -> luma or the clearest color channel -> (height, width) float32 in [0, 255]
"""

import math

import numpy as np
from PIL import Image

from service.preprocessing.trace import Trace

# Pictures are worked on with their longer side in [128, 256) pixels: a digit in a fifth of the
# frame still covers 25 or more, averaging removes noise, and no later step costs much.
WORKING_SIDE = 128
_STRIP_PIXELS = 100_000  # converted at a time, about a mebibyte: most drawings pass in one strip


def reduce(image: Image.Image, working_side: int = WORKING_SIDE) -> Image.Image:
    """Return the picture in mode L, RGB, RGBA or F, averaged down by a whole factor.

    Every pixel counts, and counts equally. The longer side gets less than twice `working_side` pixels.
    """
    mode = _plain_mode(image)
    factor = max(image.size) // working_side
    if factor <= 1:
        return image.convert(mode) if image.mode != mode else image
    across, down = min(factor, image.width), min(factor, image.height)
    if _is_reduced_whole(image.mode, mode):
        return image.reduce((across, down))
    # Strip by strip: a converted copy of the whole picture would need as much memory again, or more.
    reduced = Image.new(mode, (-(-image.width // across), -(-image.height // down)))
    rows = _strip_rows(image.width, down)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        reduced.paste(strip.convert(mode).reduce((across, down)), (0, top // down))
    return reduced


def strip_pixels(image: Image.Image, working_side: int = WORKING_SIDE) -> int:
    """Return how many pixels of an opened picture `reduce` converts at a time; 0 if it converts none."""
    if _is_reduced_whole(image.mode, _plain_mode(image)):
        return 0
    factor = max(image.size) // working_side
    if factor <= 1:
        return image.width * image.height
    return image.width * min(_strip_rows(image.width, min(factor, image.height)), image.height)


def _is_reduced_whole(mode: str, plain_mode: str) -> bool:
    """Return whether Pillow can average a picture as it is; it multiplies RGBA by its opacity in a copy."""
    return mode == plain_mode and mode != "RGBA"


def _strip_rows(width: int, down: int) -> int:
    """Return how many rows of a picture are converted at a time, a multiple of `down`."""
    return down * max(1, _STRIP_PIXELS // (width * down))


def _plain_mode(image: Image.Image) -> str:
    """Return the mode in which a picture can be averaged: L, RGB, RGBA or F."""
    if image.mode.startswith("I"):
        return "F"
    if image.has_transparency_data:
        return "RGBA"
    if image.mode == "1":
        return "L"
    return image.mode if image.mode in ("L", "F") else "RGB"


def to_grey(image: Image.Image, trace: Trace) -> np.ndarray:
    """Return (height, width) float32 in [0, 255] of a picture in a plain mode."""
    if image.mode == "F":
        return _stretched(np.asarray(image), trace)
    if image.mode == "L":
        values = np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width)
        spread = _of_data_set(values, trace)
        return values.astype(np.float32) if spread is None else spread
    # Each line channel by channel: separating these takes half as long as separating pixels.
    lines = np.frombuffer(image.tobytes("raw", f"{image.mode};L"), np.uint8)
    lines = lines.reshape(image.height, -1, image.width)
    # In C order, because whole rows are faster to add up than triples.
    planes = lines.transpose(1, 0, 2).astype(np.float32, order="C")
    return _over_paper(planes, trace) if image.mode == "RGBA" else _ink_channel(planes, trace)


_SHADES = 16  # the most in the 8x8 digits of scikit-learn


def _of_data_set(values: np.ndarray, trace: Trace) -> np.ndarray | None:
    """Return the bytes of a data set's picture spread over [0, 255], or None for any other picture.

    Arrays of digits have values from 0 to 1 or from 0 to 16. Saved unchanged, they look almost black.
    """
    highest = int(values.max())
    if not 0 < highest <= _SHADES or values.min() > 0:
        return None
    shades = 1 if highest == 1 else _SHADES
    trace(f"values from 0 to {shades} spread over 0 to 255")
    return np.rint(values * np.float32(255 / shades))


_LEAST_RANGE = 1e-36  # 255 divided by anything smaller overflows float32


def _stretched(values: np.ndarray, trace: Trace) -> np.ndarray:
    """Return 16-bit, 32-bit or floating-point values spread over [0, 255].

    Pillow's own convert("L") would clip everything above 255 to white. The brightest value becomes 255,
    because files do not say how many of their bits are in use.
    """
    # Halved, because the difference of two float32 numbers may overflow.
    halves = np.nan_to_num(values, posinf=0, neginf=0) / 2
    lowest, highest = float(halves.min()), float(halves.max())
    if highest - lowest < _LEAST_RANGE:
        return np.full(values.shape, 255, np.float32)
    trace(f"values from {2 * lowest:g} to {2 * highest:g} spread over 0 to 255")
    return (halves - lowest) * np.float32(255 / (highest - lowest))


def _over_paper(planes: np.ndarray, trace: Trace) -> np.ndarray:
    """Return a picture laid on white, or its opacity as ink if nothing of it shows on white.

    planes: (4, height, width) float32, red, green, blue, opacity. White ink on a transparent ground, a common
    canvas export, would be invisible on white paper. Its ink is in the alpha channel.
    """
    opacity = planes[3] / 255
    laid = planes[:3] * opacity + 255 * (1 - opacity)
    if np.ptp(laid) < 0.25 * np.ptp(planes[3]):
        trace("opacity taken for ink: its color does not show on white")
        return 255 - planes[3]
    if opacity.min() < 1:
        trace("transparent ground laid on white")
    return _ink_channel(laid, trace)


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# A yellow pen shows in blue, a light blue one in red.
_CHANNELS = ("grey", "red", "green", "blue")
# Single channels are noisier, so one has to be this much clearer to be preferred.
_CHANNEL_ADVANTAGE = 1.5


def _ink_channel(planes: np.ndarray, trace: Trace) -> np.ndarray:
    """Return the gray version of an RGB picture that shows ink best, (height, width).

    That is luma, unless one color channel has a clearly larger standard deviation.
    """
    red, green, blue = planes
    if (red == green).all() and (red == blue).all():
        return red
    luma = (_LUMA @ planes.reshape(3, -1)).reshape(red.shape)
    greys = (luma, red, green, blue)
    deviations = [_deviation(grey) for grey in greys]
    clearest = max(deviations) * (1 - 1e-5)  # so that the first of several wins if only rounding differs
    best = [deviation >= clearest for deviation in deviations].index(True)
    if not best or deviations[best] < _CHANNEL_ADVANTAGE * deviations[0]:
        return luma
    trace(f"{_CHANNELS[best]} channel taken: it shows the ink best")
    return greys[best]


def _deviation(grey: np.ndarray) -> float:
    """Return the standard deviation of a picture; ndarray.std takes twice as long."""
    centered = (grey - grey.sum() / grey.size).reshape(-1)
    return math.sqrt(centered @ centered / centered.size)
