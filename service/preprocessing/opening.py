"""Bytes of an image file -> Pillow's image, of which only the header has been read.

    bytes -> one of the formats? -> header of a reasonable number of parts? -> opened image

Pillow parses headers in Python: a few megabytes of tiny parts (segments, chunks, offsets) would keep it busy
for minutes, or fill gigabytes, before anything is known about the picture. Larger files are therefore passed
to it as a file object that counts how often it is read.
"""

import contextlib
import io
import logging
import struct
import sys
import warnings

from PIL import AvifImagePlugin, Image, PngImagePlugin, features

from service.preprocessing.errors import BrokenImageError, UnsupportedFormatError

# Other formats (PSD, EPS, FITS, PDF, ...) never reach their parsers: most of Pillow's security fixes of
# recent years were in formats that cameras and drawing programs do not use.
_ALWAYS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")


def _of_phones() -> tuple[str, ...]:
    """Return the formats that phones write, if the package that reads one of them is installed.

    They are optional because their decoders, which parse video frames, are large and young.
    """
    try:
        import pillow_heif
    except ImportError:
        return ()
    # Decode only the picture itself, in the calling thread.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return ("HEIF", "AVIF") if features.check("avif") else ("HEIF",)


FORMATS = (*_ALWAYS, *_of_phones())

# Pillow warns about and logs metadata, with values from the file; errors are raised anyway. Set once:
# changing the filters for each picture takes as long as reading a small header, and threads would undo each
# other's changes.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
logging.getLogger("PIL").propagate = False

_MEBIBYTE = 1024 * 1024
PngImagePlugin.MAX_TEXT_MEMORY = 4 * _MEBIBYTE  # of inflated comments; Pillow's default is 64 MiB

_SMALL_FILE_BYTES = 64 * 1024  # cannot keep a parser busy for much more than 20 ms
_MAX_HEADER_READS = 4_000  # ordinary headers take fewer than 50
_MAX_TIFF_STRIPS = 8_192  # each becomes a few Python objects
_TIFF_STRIP_TAGS = (273, 324)  # where the strips are, and the tiles
_SIGNATURES = (b"II*\0", b"MM\0*", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM")


_TOO_MANY_PARTS = (
    "The file has too many parts besides its pixels. Save the picture without metadata and send it again."
)


class _CountedFile(io.BytesIO):
    """A file in memory that can be read only so often; the first read beyond raises BrokenImageError."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._size = len(data)
        self._reads_left = _MAX_HEADER_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, as io.BytesIO does."""
        self._reads_left -= 1
        if self._reads_left < 0:
            raise BrokenImageError(_TOO_MANY_PARTS)
        return super().read(size)

    def allow_pixels(self, format: str | None) -> None:
        """Let the pixels be read: for PNG in pieces of 256 bytes on average, or more; else in any."""
        self._reads_left = _MAX_HEADER_READS + self._size // 256 if format == "PNG" else sys.maxsize


def open_header(data: bytes) -> Image.Image:
    """Return an image file opened by Pillow, which has read only its header.

    This takes up to three times the memory of the file. Raises UnsupportedFormatError, BrokenImageError,
    or any error of a parser.
    """
    if data.startswith((b"II", b"MM")) and strips_of_tiff(data) > _MAX_TIFF_STRIPS:
        raise BrokenImageError("The picture has too many strips. Save it as PNG and send it again.")
    try:
        if len(data) <= _SMALL_FILE_BYTES:
            return Image.open(io.BytesIO(data), formats=FORMATS)
        file = _CountedFile(data)
        image = Image.open(file, formats=FORMATS)
        file.allow_pixels(image.format)
        return image
    except Image.UnidentifiedImageError as error:
        if data.startswith(_SIGNATURES):
            raise BrokenImageError(
                "The file begins like an image, but its header cannot be read. Send the file again."
            ) from error
        raise UnsupportedFormatError(_unsupported(data)) from error


def strips_of_tiff(data: bytes) -> int:
    """Return how many strips or tiles a TIFF says that its first picture has; 0 where it does not say.

    Pillow makes objects of all of them when it opens an uncompressed file, whatever the picture's size.
    """
    order = "<" if data.startswith(b"II") else ">"
    # BigTIFF has wider fields. The third byte tells, for Pillow too.
    is_big = data[2:3] == b"+"
    place, offset_type, count_type, entry_types = (8, "Q", "Q", "HHQ8x") if is_big else (4, "L", "H", "HHL4x")
    entry = struct.Struct(order + entry_types)
    most = 0
    with contextlib.suppress(struct.error, OverflowError):  # a file that ends too early, or points beyond
        (start,) = struct.unpack_from(order + offset_type, data, place)
        (count,) = struct.unpack_from(order + count_type, data, start)
        start += struct.calcsize(order + count_type)
        for index in range(min(count, _MAX_HEADER_READS)):
            tag, _, number = entry.unpack_from(data, start + index * entry.size)
            if tag in _TIFF_STRIP_TAGS:
                most = max(most, number)
    return most


def _unsupported(data: bytes) -> str:
    """Return the message for a file in another format, which says what to do."""
    supported = f"Send one of {', '.join(FORMATS)}."
    beginning = data[:512].lstrip().lower()
    if beginning.startswith((b"<svg", b"<?xml")):
        return f"This looks like SVG, a drawing without pixels. {supported}"
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
        return f"This looks like HEIC. Convert it to JPEG. {supported}"
    return f"The bytes are not those of a supported image format. {supported}"
