"""Kinds of image files that a picture of a digit seldom is: each is read, or refused for the right reason."""

import contextlib
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from service.preprocessing.opening import FORMATS
from tests.drawing import draw_digit, encode
from tests.serving import Server

SEVEN = draw_digit(7)
COLOUR = SEVEN.convert("RGB")
SEVEN_PNG = encode(SEVEN)
OTHERS = [draw_digit(digit) for digit in (1, 2)]


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a part of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, rows: bytes | None = None) -> bytes:
    """Return a PNG of one bit a pixel and of any size, even one that no encoder would write."""
    if rows is None:
        rows = zlib.compress(b"\0" * ((1 + (width + 7) // 8) * height), 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def with_much_text() -> bytes:
    """Return a PNG whose comment has eighty megabytes when it is inflated."""
    data = encode(SEVEN)
    head_end = len(b"\x89PNG\r\n\x1a\n") + 12 + 13
    return data[:head_end] + chunk(b"zTXt", b"a\0\0" + zlib.compress(b" " * 80_000_000)) + data[head_end:]


def frames(format: str, **options: object) -> bytes:
    """Return a file in which the 7 is the first of three pictures."""
    return encode(SEVEN, format, save_all=True, append_images=OTHERS, **options)


def translucent_palette() -> bytes:
    """Return a palette PNG whose every colour has an opacity of its own."""
    picture = SEVEN.convert("P")
    return encode(picture, "PNG", transparency=bytes(255 - index for index in range(256)))


def zero_sized() -> dict[str, bytes]:
    """Return files without a pixel, or without a row or column of them."""
    bitmap = bytearray(encode(COLOUR, "BMP"))
    bitmap[18:22] = b"\0\0\0\0"
    gif = bytearray(encode(SEVEN, "GIF"))
    frame = gif.index(b",\0\0\0\0\xc8\0\xc8\0") + 5
    gif[6:10] = gif[frame : frame + 4] = b"\0\0\0\0"
    jpeg = bytearray(encode(SEVEN, "JPEG"))
    start = jpeg.index(b"\xff\xc0") + 5
    jpeg[start : start + 4] = b"\0\0\0\0"
    return {
        "PNG": png(0, 0),
        "PNG, no row": png(9, 0),
        "BMP": bytes(bitmap),
        "GIF": bytes(gif),
        "JPEG": bytes(jpeg),
    }


READ = {
    "animated GIF": frames("GIF"),
    "animated PNG": frames("PNG"),
    "animated WebP": frames("WEBP", lossless=True),
    "pages of a TIFF": frames("TIFF"),
    "MPO, two views in a JPEG": frames("MPO"),
    "CMYK JPEG": encode(COLOUR.convert("CMYK"), "JPEG"),
    "CMYK TIFF": encode(COLOUR.convert("CMYK"), "TIFF"),
    "progressive JPEG": encode(COLOUR, "JPEG", progressive=True),
    "JPEG with a colour profile": encode(
        COLOUR, "JPEG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ),
    "16 bits, PNG": encode(Image.fromarray(np.asarray(SEVEN).astype(np.uint16) * 257)),
    "16 bits, TIFF": encode(Image.fromarray(np.asarray(SEVEN).astype(np.uint16) * 257), "TIFF"),
    "floating point, TIFF": encode(SEVEN.convert("F"), "TIFF"),
    "palette, one colour transparent": encode(SEVEN.convert("P"), "PNG", transparency=255),
    "palette, opacity by colour": translucent_palette(),
    "grey with opacity": encode(SEVEN.convert("LA")),
    "YCbCr TIFF": encode(COLOUR.convert("YCbCr"), "TIFF"),
    "one bit": encode(SEVEN.convert("1")),
    "one bit, fax": encode(SEVEN.convert("1"), "TIFF", compression="group4"),
}


@pytest.mark.parametrize("kind", READ)
def test_unusual_files_are_read_and_of_several_frames_the_first(service: Server, kind: str) -> None:
    response = service.predict(READ[kind])
    assert (response.status_code, response.json().get("digit")) == (200, 7), response.text


REFUSED = {
    **{f"zero-sized {name}": (lambda data=data: data, (415, 422)) for name, data in zero_sized().items()},
    "a hundred thousand wide, one high": (lambda: png(100_000, 1), (422,)),
    "one wide, twenty-four million high": (lambda: png(1, 24_000_000), (413, 422)),
    "more pixels than allowed": (lambda: png(8001, 6500), (413,)),
    "a bomb of one bit": (lambda: png(12_000, 12_000), (413,)),
    "sides of two thousand million": (lambda: png(2**31 - 1, 2**31 - 1, b""), (413, 422)),
    "a comment of eighty megabytes": (with_much_text, (200, 422)),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_files_of_absurd_size_get_their_error_and_no_time(service: Server, kind: str) -> None:
    make, statuses = REFUSED[kind]
    response = service.predict(make())
    assert response.status_code in statuses, response.text
    assert service.predict(SEVEN_PNG).json()["digit"] == 7


def foreign() -> dict[str, bytes]:
    """Return a picture in each format that Pillow writes and the service does not promise to read."""
    Image.init()
    written = {}
    for format in sorted(set(Image.SAVE) - {*FORMATS, "MPO"}):
        with contextlib.suppress(OSError, ValueError, KeyError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            written[format] = encode(COLOUR, format)
    return written


FOREIGN = foreign()


def test_many_other_formats_were_written():
    assert len(FOREIGN) >= 10


@pytest.mark.parametrize("format", FOREIGN)
def test_a_format_that_is_not_on_the_list_is_refused(service: Server, format: str) -> None:
    response = service.predict(FOREIGN[format])
    assert response.status_code == 415
    assert response.json()["type"] == "/problems/unsupported-format"
