"""Bytes of an image file -> grey picture, whatever kind of file people have.

    bytes -> allowed format? -> few enough pixels? -> first frame, decoded small -> upright
          -> transparency over paper -> the grey that shows the ink best -> (height, width) float32

Every way a file can be wrong leaves here as an `ImageError` that says what to do.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
from PIL import Image, ImageOps

from service.memory import MEBIBYTE, Gate, GateClosedError

# Anything else (PSD, EPS, FITS, PDF, ...) never reaches its parser: most of Pillow's security
# fixes of recent years were in formats that nobody photographs digits in.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")

# Pictures are worked on with their longer side in [128, 256) pixels: a digit in a fifth of the
# frame still covers 25 or more, averaging takes noise away, and no step after this costs much.
WORKING_SIDE = 128

DEFAULT_MAX_PIXELS = 25_000_000  # above the 24 megapixels that telephones send at most by default

# Shared by the threads of a process. A picture that most telephones send passes in any company.
_GATE = Gate(256 * MEBIBYTE, most_waiting=4, longest_wait_seconds=5.0)
# Bytes for each pixel while a file is read, measured and rounded up. Pillow keeps colour in four; a
# picture that EXIF turns is there twice, which for PNG is not known before it is read.
_BYTES_A_PIXEL = {"WEBP": 21, "TIFF": 10}
SMALL_PIXELS = 200_000  # below, as many as there are threads do no harm
_PROGRESSIVE_BYTES_A_PIXEL = 7  # of the whole picture: all its coefficients are kept

# What Pillow's parsers raise for broken files, beside OSError.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
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


def decode(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> np.ndarray:
    """Return the picture as grey values, (height, width) float32 in [0, 255], upright.

    Dark and light are as in the file; the longer side is below 256 pixels. Raises EmptyImageError,
    UnsupportedFormatError, TooManyPixelsError (before any pixel is decoded), BrokenImageError, or
    NoMemoryError, which passes with time.
    """
    if not data:
        raise EmptyImageError("The image has 0 bytes. Send the bytes of an image file.")
    with _translated_errors(), ExitStack() as turn:
        return _read(data, max_pixels, turn)


def _read(data: bytes, max_pixels: int, turn: ExitStack) -> np.ndarray:
    """Return what `decode` does; the caller ends the turn, when the picture here is gone from memory."""
    with _open(data) as image:
        _check_size(image, max_pixels)
        pixels = image.width * image.height
        image.draft(None, (WORKING_SIDE, WORKING_SIDE))  # JPEG: decode at 1/2, 1/4 or 1/8
        turn.enter_context(_GATE.hold(_memory_bytes(image, pixels)))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return _grey(image)


def _memory_bytes(image: Image.Image, pixels: int) -> int:
    """Return how much memory it takes to read an opened picture, which had `pixels` before `draft`."""
    if pixels < SMALL_PIXELS:
        return 0
    if image.info.get("progressive"):
        return pixels * _PROGRESSIVE_BYTES_A_PIXEL
    return image.width * image.height * _BYTES_A_PIXEL.get(image.format or "", 9)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata; the pixel ceiling is our own
            yield
    except ImageError:
        raise
    except GateClosedError as error:
        raise NoMemoryError("Many large pictures came at once. Send it again a little later.") from error
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(f"{error} Send a smaller picture.") from error
    except DECODER_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise BrokenImageError(f"The image cannot be decoded: {reason}. Send the file again.") from error


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


def _grey(image: Image.Image) -> np.ndarray:
    """Return (height, width) float32 in [0, 255] of an upright picture of any mode."""
    if image.mode.startswith("I") or image.mode == "F":
        return _stretched(_reduce(image, "F"))
    if image.has_transparency_data:
        return _over_paper(_reduce(image, "RGBA"))
    if image.mode in ("1", "L"):
        return np.asarray(_reduce(image, "L"), np.float32)
    return _ink_channel(np.asarray(_reduce(image, "RGB"), np.float32))


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
    rows = 4 * down
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        reduced.paste(strip.convert(mode).reduce((across, down)), (0, top // down))
    return reduced


def _stretched(image: Image.Image) -> np.ndarray:
    """Return 16-bit, 32-bit or floating-point values spread over [0, 255].

    Pillow's own convert("L") would clip all above 255 to white. The brightest value present
    decides, since files do not say how many of their bits are in use.
    """
    values = np.nan_to_num(np.asarray(image.convert("F"), np.float32), posinf=0, neginf=0)
    lowest, highest = float(values.min()), float(values.max())
    if highest <= lowest:
        return np.full(values.shape, 255, np.float32)
    return (values - lowest) * np.float32(255 / (highest - lowest))


def _over_paper(image: Image.Image) -> np.ndarray:
    """Return an RGBA picture laid on white, or its opacity as ink where that leaves nothing.

    White ink on nothing, a common canvas export, is invisible on white paper: there the ink
    lives in the alpha channel alone.
    """
    pixels = np.asarray(image, np.float32)
    opacity = pixels[:, :, 3:] / 255
    paper = _ink_channel(pixels[:, :, :3] * opacity + 255 * (1 - opacity))
    if np.ptp(paper) < 0.25 * np.ptp(pixels[:, :, 3]):
        return 255 - pixels[:, :, 3]
    return paper


# Luma and the three channels. A yellow pen shows in blue, a light blue one in red.
_CANDIDATES = np.array([[0.299, 1, 0, 0], [0.587, 0, 1, 0], [0.114, 0, 0, 1]], np.float32)
# Noise is stronger in single channels, so one has to be this much clearer to be preferred.
_CHANNEL_ADVANTAGE = 1.5


def _ink_channel(rgb: np.ndarray) -> np.ndarray:
    """Return the grey, (height, width), of an (height, width, 3) picture that shows ink best.

    Luma, unless one colour channel has a clearly larger standard deviation.
    """
    if (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 0] == rgb[..., 2]).all():
        return rgb[..., 0]
    greys = rgb @ _CANDIDATES  # (height, width, 4)
    deviations = greys.std(axis=(0, 1))
    best = int(deviations.argmax())
    if deviations[best] < _CHANNEL_ADVANTAGE * deviations[0]:
        best = 0
    return np.ascontiguousarray(greys[..., best])
