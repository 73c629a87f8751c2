"""Bytes of an image file, in any common format -> gray picture.

    bytes -> open_image: allowed format? few enough pixels? -> OpenedImage, which knows what it will cost
          -> decode: first frame, JPEG at reduced size -> averaged down -> upright -> grey (grey.py)

Opening reads only the header; decoding takes the time and the memory, and may happen in any thread.
A file that is wrong in any way raises an `ImageError` that says what to do.
"""

import struct
import zlib

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from service.preprocessing.decoding_memory import decoding_bytes, strip_or_tile_pixels
from service.preprocessing.errors import (
    BrokenImageError,
    EmptyImageError,
    ImageError,
    TooManyPixelsError,
)
from service.preprocessing.grey import WORKING_SIDE, reduce, to_grey
from service.preprocessing.opening import open_header
from service.preprocessing.trace import Trace, no_trace

DEFAULT_MAX_PIXELS = 52_000_000  # the 50 megapixels of phones (8192 x 6144), whose JPEGs are decoded reduced

# The operation that undoes each orientation of a camera (EXIF 2.32, tag 274).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = frozenset(TURNS[orientation] for orientation in (5, 6, 7, 8))  # exchange width and height

# What Pillow's parsers raise for broken files.
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


class OpenedImage:
    """An image file whose header has been read and whose pixels have not.

    pixels: width x height as stored, before JPEG is reduced while it is decoded: its decoder still reads
    every coefficient, so the time grows with this number. decoding_bytes: an upper bound of the memory that
    `decode` takes besides the file. size: (width, height) as stored, and once decoded as seen upright.
    """

    def __init__(self, image: Image.Image, data: bytes, working_side: int = WORKING_SIDE) -> None:
        """Take an opened image; decoded, its longer side has less than twice `working_side` pixels."""
        self._image = image
        self._stored_size = self.size = image.size
        self._working_side = working_side
        self.pixels = image.width * image.height
        image.draft(None, (working_side, working_side))  # JPEG: decode at 1/2, 1/4 or 1/8
        self.decoding_bytes = decoding_bytes(image, self._stored_size, data, working_side)

    def decode(self, trace: Trace = no_trace) -> np.ndarray:
        """Return the picture as gray values, (height, width) float32 in [0, 255], upright.

        Dark and light are as in the file; the longer side is below 256 pixels by default. Call it only
        once, in any thread: it frees the image. trace: gets what was done. Raises BrokenImageError or
        TooManyPixelsError.
        """
        try:
            return self._decode(trace)
        except (Image.DecompressionBombError, *DECODER_ERRORS) as error:
            raise _image_error(error) from error
        finally:
            self._image.close()  # frees the pixels, too

    def _decode(self, trace: Trace) -> np.ndarray:
        image, (width, height) = self._image, self._stored_size
        image.load()
        small = reduce(image, self._working_side)
        if small.size != self._stored_size:
            trace(f"reduced from {width} x {height} pixels to {small.width} x {small.height}")
        # Looking for an orientation takes a tenth of decoding a small file, and many have no metadata.
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1)) if image.info else None
        if turn is not None:
            trace("turned upright, as its EXIF data says")
            small = small.transpose(turn)
            self.size = (height, width) if turn in SIDEWAYS else (width, height)
        return to_grey(small, trace)


def open_image(
    data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS, working_side: int = WORKING_SIDE
) -> OpenedImage:
    """Return an image file with its header read and checked; no pixel is decoded.

    working_side: see `OpenedImage`. Raises EmptyImageError, UnsupportedFormatError, TooManyPixelsError (more
    than `max_pixels`) or BrokenImageError.
    """
    if not data:
        raise EmptyImageError("The image has 0 bytes. Send the bytes of an image file.")
    try:
        image = open_header(data)
        _check_size(image, max_pixels)
        return OpenedImage(image, data, working_side)
    except (Image.DecompressionBombError, *DECODER_ERRORS) as error:
        raise _image_error(error) from error


def decode(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS, trace: Trace = no_trace) -> np.ndarray:
    """Return the picture in a file as gray values: `open_image` and `OpenedImage.decode` in one call.

    Raises what these raise.
    """
    return open_image(data, max_pixels).decode(trace)


def _image_error(error: Exception) -> ImageError:
    """Return the error for a client whose file raised `error` while it was read."""
    if isinstance(error, Image.DecompressionBombError):
        return TooManyPixelsError(f"{error} Send a smaller picture.")
    reason = str(error) or type(error).__name__
    return BrokenImageError(f"The image cannot be decoded: {reason}. Send the file again.")


def _check_size(image: Image.Image, max_pixels: int) -> None:
    """Raise TooManyPixelsError or BrokenImageError for a picture, or a tile of it, that cannot be decoded."""
    width, height = image.size
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"The image has {width} x {height} = {width * height} pixels; at most {max_pixels} are "
            "allowed. Send a smaller picture."
        )
    if not width or not height:
        raise BrokenImageError(f"The image has {width} x {height} pixels. Send one with content.")
    if isinstance(image, TiffImagePlugin.TiffImageFile) and strip_or_tile_pixels(image) > max_pixels:
        raise TooManyPixelsError(
            f"The image has tiles of {strip_or_tile_pixels(image)} pixels; at most {max_pixels} are "
            "allowed. Save it without tiles."
        )
