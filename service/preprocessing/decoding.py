"""Bytes of an image file -> grey picture, whatever kind of file people have.

    bytes -> allowed format? -> few enough pixels? -> first frame, decoded small -> reduced -> upright
          -> transparency over paper -> the grey that shows the ink best -> (height, width) float32

Every way a file can be wrong leaves here as an `ImageError` that says what to do.
"""

import io
import math
import struct
import warnings
import zlib
from contextlib import ExitStack

import numpy as np
from PIL import ExifTags, Image

from service.preprocessing.budget import MEBIBYTE, Gate, GateClosedError
from service.preprocessing.trace import Tell, nobody

# Anything else (PSD, EPS, FITS, PDF, ...) never reaches its parser: most of Pillow's security
# fixes of recent years were in formats that nobody photographs digits in.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")

# Pictures are worked on with their longer side in [128, 256) pixels: a digit in a fifth of the
# frame still covers 25 or more, averaging takes noise away, and no step after this costs much.
WORKING_SIDE = 128

DEFAULT_MAX_PIXELS = 25_000_000  # above the 24 megapixels that telephones send at most by default

# What undoes each orientation that a camera may have been held in (EXIF 2.32, tag 274).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Shared by the threads of a process. A picture that most telephones send passes in any company.
_GATE = Gate(256 * MEBIBYTE, most_waiting=2, longest_wait_seconds=5.0)
# Bytes for each pixel while a file is read, measured and rounded up. Pillow keeps colour in four.
_BYTES_A_PIXEL = {"WEBP": 21, "TIFF": 10}
_SMALL_BYTES = 2 * MEBIBYTE  # below, as many as there are threads do no harm
_PROGRESSIVE_BYTES_A_PIXEL = 7  # of the whole picture: all its coefficients are kept
_STRIP_PIXELS = 100_000  # converted at a time, a mebibyte or so: most drawings pass in one strip

# What Pillow warns of is metadata; the pixel ceiling is our own. Once for all: to change the filters for
# each picture takes as long as to read the header of a small one, and threads would undo each other's.
warnings.filterwarnings("ignore", module=r"PIL\.")

# What Pillow's parsers raise for broken files, beside OSError.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    ArithmeticError,
    NotImplementedError,
    AttributeError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)


class ImageError(Exception):
    """The image cannot be classified."""


class EmptyImageError(ImageError):
    """The request holds no image."""


class UnsupportedFormatError(ImageError):
    """The image format is not supported."""


class TooManyPixelsError(ImageError):
    """The image has too many pixels."""


class BrokenImageError(ImageError):
    """The image is broken or truncated."""


class NoMemoryError(ImageError):
    """Too many large images are being decoded."""


def decode(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS, tell: Tell = nobody) -> np.ndarray:
    """Return the picture as grey values, (height, width) float32 in [0, 255], upright.

    Dark and light are as in the file; the longer side is below 256 pixels. tell: gets what was
    done. Raises EmptyImageError, UnsupportedFormatError, TooManyPixelsError (before any pixel is
    decoded), BrokenImageError, or NoMemoryError, which passes with time.
    """
    if not data:
        raise EmptyImageError("The image has 0 bytes. Send the bytes of an image file.")
    try:
        with ExitStack() as waiting:
            return _read(data, max_pixels, waiting, tell)
    except (GateClosedError, Image.DecompressionBombError, *DECODER_ERRORS) as error:
        raise _image_error(error) from error


def _read(data: bytes, max_pixels: int, waiting: ExitStack, tell: Tell) -> np.ndarray:
    """Return what `decode` does; the caller ends the turn, when the picture here is gone from memory."""
    with _open(data) as image:
        _check_size(image, max_pixels)
        size = image.size
        image.draft(None, (WORKING_SIDE, WORKING_SIDE))  # JPEG: decode at 1/2, 1/4 or 1/8
        if cost := _memory_bytes(image, size[0] * size[1]):
            waiting.enter_context(_GATE.hold(cost))
        image.load()
        small = _reduce(image, _plain_mode(image))
        if small.size != size:
            tell(f"reduced from {size[0]} x {size[1]} pixels to {small.width} x {small.height}")
        # To look for an orientation is a tenth of decoding a small file, and many have no metadata.
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1)) if image.info else None
        if turn is not None:
            tell("turned upright, as its EXIF data says")
            small = small.transpose(turn)
        return _grey(small, tell)


def _memory_bytes(image: Image.Image, pixels: int) -> int:
    """Return how much memory it takes to read an opened picture, which had `pixels` before `draft`.

    0 where it is too little to wait for.
    """
    if image.info.get("progressive"):
        cost = pixels * _PROGRESSIVE_BYTES_A_PIXEL
    else:
        cost = image.width * image.height * _BYTES_A_PIXEL.get(image.format or "", 9)
    return cost if cost > _SMALL_BYTES else 0


def _image_error(error: Exception) -> ImageError:
    """Return what to tell a client of an error that came up while its file was read."""
    if isinstance(error, GateClosedError):
        return NoMemoryError("Many large pictures came at once. Send it again a little later.")
    if isinstance(error, Image.DecompressionBombError):
        return TooManyPixelsError(f"{error} Send a smaller picture.")
    reason = str(error) or type(error).__name__
    return BrokenImageError(f"The image cannot be decoded: {reason}. Send the file again.")


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError as error:
        if data.startswith(_SIGNATURES):
            raise BrokenImageError(
                "The file begins like an image, but its header cannot be read. Send the file again."
            ) from error
        raise UnsupportedFormatError(_unsupported(data)) from error


_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")


def _unsupported(data: bytes) -> str:
    supported = f"Send one of {', '.join(FORMATS)}."
    beginning = data[:512].lstrip().lower()
    if beginning.startswith((b"<svg", b"<?xml")):
        return f"This looks like SVG, a drawing without pixels. {supported}"
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
        return f"This looks like HEIC. Convert it to JPEG. {supported}"
    return f"The bytes are not those of a supported image format. {supported}"


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"The image has {width} x {height} = {width * height} pixels; at most {max_pixels} are "
            "allowed. Send a smaller picture."
        )
    if not width or not height:
        raise BrokenImageError(f"The image has {width} x {height} pixels. Send one with content.")


def _plain_mode(image: Image.Image) -> str:
    """Return the mode in which a picture can be averaged: L, RGB, RGBA or F."""
    if image.mode.startswith("I"):
        return "F"
    if image.has_transparency_data:
        return "RGBA"
    if image.mode == "1":
        return "L"
    return image.mode if image.mode in ("L", "F") else "RGB"


def _grey(image: Image.Image, tell: Tell) -> np.ndarray:
    """Return (height, width) float32 in [0, 255] of a picture in a plain mode."""
    if image.mode == "F":
        return _stretched(np.asarray(image), tell)
    # Each line channel by channel: to pick these apart takes half as long as pixel by pixel.
    raw_mode = image.mode if image.mode == "L" else f"{image.mode};L"
    lines = np.frombuffer(image.tobytes("raw", raw_mode), np.uint8).reshape(image.height, -1, image.width)
    if image.mode == "L":
        return lines[:, 0].astype(np.float32)
    planes = lines.transpose(1, 0, 2).astype(np.float32, order="C")  # whole rows add up faster than triples
    return _over_paper(planes, tell) if image.mode == "RGBA" else _ink_channel(planes, tell)


def _reduce(image: Image.Image, mode: str) -> Image.Image:
    """Return the picture in another mode, shrunk by a whole factor: every pixel counts, and equally much."""
    factor = max(image.size) // WORKING_SIDE
    if factor <= 1:
        return image.convert(mode) if image.mode != mode else image
    across, down = min(factor, image.width), min(factor, image.height)
    if image.mode == mode and mode != "RGBA":
        return image.reduce((across, down))
    # Strip by strip: in a wider mode, or multiplied by its opacity, the whole would be there twice.
    reduced = Image.new(mode, (-(-image.width // across), -(-image.height // down)))
    rows = down * max(4, _STRIP_PIXELS // (image.width * down))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        reduced.paste(strip.convert(mode).reduce((across, down)), (0, top // down))
    return reduced


_LEAST_RANGE = 1e-36  # what 255 divided by less is, is no float32 number


def _stretched(values: np.ndarray, tell: Tell) -> np.ndarray:
    """Return 16-bit, 32-bit or floating-point values spread over [0, 255].

    Pillow's own convert("L") would clip all above 255 to white. The brightest value present
    decides, since files do not say how many of their bits are in use.
    """
    # Halved, because the difference of two float32 numbers need not be one.
    halves = np.nan_to_num(values, posinf=0, neginf=0) / 2
    lowest, highest = float(halves.min()), float(halves.max())
    if highest - lowest < _LEAST_RANGE:
        return np.full(values.shape, 255, np.float32)
    tell(f"values from {2 * lowest:g} to {2 * highest:g} spread over 0 to 255")
    return (halves - lowest) * np.float32(255 / (highest - lowest))


def _over_paper(planes: np.ndarray, tell: Tell) -> np.ndarray:
    """Return a picture laid on white, or its opacity as ink where that leaves nothing.

    planes: (4, height, width) float32, red, green, blue, opacity. White ink on
    nothing, a common canvas export, is invisible on white paper: there the ink lives in the alpha
    channel alone.
    """
    opacity = planes[3] / 255
    laid = planes[:3] * opacity + 255 * (1 - opacity)
    if np.ptp(laid) < 0.25 * np.ptp(planes[3]):
        tell("opacity taken for ink: its colour does not show on white")
        return 255 - planes[3]
    if opacity.min() < 1:
        tell("transparent ground laid on white")
    return _ink_channel(laid, tell)


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# A yellow pen shows in blue, a light blue one in red.
_CHANNELS = ("grey", "red", "green", "blue")
# Noise is stronger in single channels, so one has to be this much clearer to be preferred.
_CHANNEL_ADVANTAGE = 1.5


def _ink_channel(planes: np.ndarray, tell: Tell) -> np.ndarray:
    """Return the grey, (height, width), of a picture (red, green, blue; height; width) that shows ink best.

    Luma, unless one colour channel has a clearly larger standard deviation.
    """
    red, green, blue = planes
    if (red == green).all() and (red == blue).all():
        return red
    luma = (_LUMA @ planes.reshape(3, -1)).reshape(red.shape)
    greys = (luma, red, green, blue)
    deviations = [_deviation(grey) for grey in greys]
    clearest = max(deviations) * (1 - 1e-5)  # of those that differ by rounding alone, the first
    best = [deviation >= clearest for deviation in deviations].index(True)
    if not best or deviations[best] < _CHANNEL_ADVANTAGE * deviations[0]:
        return luma
    tell(f"{_CHANNELS[best]} channel taken: it shows the ink best")
    return greys[best]


def _deviation(grey: np.ndarray) -> float:
    """Return the standard deviation of a picture; its own method takes twice as long."""
    centred = (grey - grey.sum() / grey.size).reshape(-1)
    return math.sqrt(centred @ centred / centred.size)
