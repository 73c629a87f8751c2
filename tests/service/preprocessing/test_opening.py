"""Opening a file takes little time and memory, however many parts its header has."""

import functools
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from service.preprocessing.decoding import DECODER_ERRORS, open_image
from service.preprocessing.errors import BrokenImageError, ImageError, TooManyPixelsError
from service.preprocessing.opening import open_header, strips_of_tiff
from tests.drawing import draw_digit, encode
from tests.fuzz.mutations import seed_files
from tests.service.preprocessing.large_files import chunk, picture, tiff, written
from tests.serving import PROJECT

MEGABYTE = 1_000_000
SECONDS = 1.0  # of the processor, for ten megabytes
PNG, JPEG, GIF = (encode(draw_digit(7), format) for format in ("PNG", "JPEG", "GIF"))


def filled(before: bytes, part: bytes, after: bytes, size: int = 10 * MEGABYTE) -> bytes:
    """Return a file with as many of a part between two others as make it `size` bytes long."""
    return before + part * (size // len(part)) + after


def jpeg(segment: bytes) -> bytes:
    return filled(JPEG[:2], segment, JPEG[2:])


def png(part: bytes, at_the_end: bool = False) -> bytes:
    where = len(PNG) - 12 if at_the_end else 33  # before IEND, or after IHDR
    return filled(PNG[:where], part, PNG[where:])


def gif(block: bytes) -> bytes:
    frame = GIF.index(b",\0\0\0\0")
    return filled(GIF[:frame] + b"!\xfe", block, b"\0" + GIF[frame:])


def tiff_of_strips(count: int, type_: int = 3, order: str = "<", big: bool = False) -> bytes:
    """Return a TIFF of 64 x 64 pixels that says where `count` strips are, in numbers of a TIFF type."""
    start = 16 + count * {1: 1, 3: 2, 4: 4}[type_]
    entries = [(256, 3, 64), (257, 3, 64), (258, 3, 8), (259, 3, 1), (262, 3, 1), (277, 3, 1), (278, 3, 1)]
    small, wide = ("HHQ", "Q") if big else ("HHL", "L")
    packed = [
        (
            tag,
            struct.pack(order + small, tag, kind, 1)
            + struct.pack(order + "H6x" if big else order + "H2x", value),
        )
        for tag, kind, value in entries
    ]
    packed.append((273, struct.pack(order + small + wide, 273, type_, count, 16)))
    head = b"II" if order == "<" else b"MM"
    head += struct.pack(order + "HHHQ", 43, 8, 0, start) if big else struct.pack(order + "HL8x", 42, start)
    number = struct.pack(order + ("Q" if big else "H"), len(packed))
    return head + b"\1" * (start - 16) + number + b"".join(entry for _, entry in sorted(packed)) + bytes(8)


MANY_PARTS = {
    "JPEG, Exif": lambda: jpeg(b"\xff\xe1\0\x12Exif\0\0" + bytes(10)),
    "JPEG, application": lambda: jpeg(b"\xff\xe3\0\2"),
    "JPEG, profile": lambda: jpeg(b"\xff\xe2\0\x10ICC_PROFILE\0\1\1"),
    "PNG, private": lambda: png(chunk(b"abCd", b"")),
    "PNG, text": lambda: png(chunk(b"tEXt", b"a\0b")),
    "PNG, after the pixels": lambda: png(chunk(b"abCd", b""), at_the_end=True),
    "PNG, empty pixels": lambda: filled(PNG[:33], chunk(b"IDAT", b""), PNG[33:]),
    "GIF, comment": lambda: gif(b"\1x"),
    "GIF, long comment": lambda: gif(b"\xff" + bytes(255)),
    "TIFF, strips of bytes": lambda: tiff_of_strips(10 * MEGABYTE, 1),
    "TIFF, strips": lambda: tiff_of_strips(5 * MEGABYTE),
    "TIFF, strips, long": lambda: tiff_of_strips(2 * MEGABYTE, 4),
    "TIFF, big-endian": lambda: tiff_of_strips(5 * MEGABYTE, order=">"),
    "BigTIFF": lambda: tiff_of_strips(5 * MEGABYTE, big=True),
    "TIFF, cut off": lambda: tiff_of_strips(5 * MEGABYTE)[:-24],
}


@pytest.mark.parametrize("kind", MANY_PARTS)
def test_files_of_very_many_parts_are_refused_at_once(kind: str) -> None:
    data = MANY_PARTS[kind]()
    started = time.process_time()
    with pytest.raises(BrokenImageError, match=r"too many (parts|strips)"):
        open_image(data).decode()
    assert time.process_time() - started < SECONDS


def test_comments_that_inflate_to_much_are_refused() -> None:
    comments = b"".join(
        chunk(b"iTXt", b"a%d\0\1\0\0\0" % index + zlib.compress(b" " * MEGABYTE)) for index in range(9)
    )
    with pytest.raises(BrokenImageError, match="text"):
        open_image(PNG[:33] + comments + PNG[33:])


def test_a_tile_of_too_many_pixels_is_refused() -> None:
    data = tiff(np.zeros((64, 64, 3), np.uint8), 8, tile=(8000, 8000), strips=[zlib.compress(bytes(1000))])
    with pytest.raises(TooManyPixelsError, match="tiles of 64000000 pixels"):
        open_image(data)


PROFILE = np.random.default_rng(1).bytes(3 * MEGABYTE)


@functools.cache
def noise() -> Image.Image:
    grain = np.random.default_rng(0).integers(0, 256, (2000, 3000), np.uint8)
    return Image.fromarray(picture(3000, 2000)[..., 0] ^ grain)


MUCH = {
    "jpeg": lambda: encode(draw_digit(7), "JPEG", icc_profile=PROFILE),
    "jpeg xmp": lambda: encode(draw_digit(7), "JPEG", xmp=bytes(60_000), comment=bytes(60_000)),
    "png": lambda: encode(draw_digit(7), "PNG", icc_profile=PROFILE[: MEGABYTE // 2]),
    "tiff": lambda: encode(draw_digit(7), "TIFF", icc_profile=PROFILE),
    "webp": lambda: encode(draw_digit(7), "WEBP", icc_profile=PROFILE),
    "png idat": lambda: encode(noise(), "PNG", compress_level=1),
    "gif": lambda: encode(noise(), "GIF"),
    "bmp": lambda: encode(noise(), "BMP"),
    "tiff strips": lambda: written("RGB", "TIFF", tiffinfo={278: 1})(1500, 4000),
    "tiff tiles": lambda: tiff(picture(2000, 1500, 3), 8, tile=(32, 32)),
}


@pytest.mark.parametrize("kind", MUCH)
def test_files_with_much_metadata_or_many_strips_are_read(kind: str) -> None:
    data = MUCH[kind]()
    assert len(data) > 100_000
    assert open_image(data).decode().ndim == 2


def test_small_idat_chunks_are_read() -> None:
    pixels = encode(noise(), "PNG", compress_level=1)
    start = pixels.index(b"IDAT") - 4
    packed = b"".join(_contents(pixels[start:]))
    chunks = b"".join(chunk(b"IDAT", packed[at : at + 1024]) for at in range(0, len(packed), 1024))
    again = pixels[:start] + chunks + chunk(b"IEND", b"")
    np.testing.assert_array_equal(open_image(again).decode(), open_image(pixels).decode())


def _contents(chunks: bytes) -> list[bytes]:
    found, position = [], 0
    while chunks[position + 4 : position + 8] == b"IDAT":
        (length,) = struct.unpack_from(">I", chunks, position)
        found.append(chunks[position + 8 : position + 8 + length])
        position += 12 + length
    return found


def test_pillow_never_finds_more_strips_than_were_counted() -> None:
    rng = np.random.default_rng(5)
    seeds = [data for name, data in seed_files().items() if name.endswith(".tiff")]
    seeds += [
        tiff_of_strips(count, order=order, big=big)
        for count, order, big in [(64, "<", False), (9, ">", False), (70, "<", True)]
    ]
    opened = 0
    for round_ in range(3000):
        data = bytearray(seeds[round_ % len(seeds)])
        for position in rng.integers(0, len(data), rng.integers(1, 4)):
            data[position] = rng.integers(0, 256)
        try:
            image = open_header(bytes(data))
            tiles = len(image.tile)
        except (ImageError, Image.DecompressionBombError, *DECODER_ERRORS):
            continue
        opened += 1
        assert tiles <= max(1, strips_of_tiff(bytes(data)))
    assert opened > 300


@pytest.mark.parametrize("samples", [12345, 2**31])
def test_what_pillow_logs_about_a_file_stays_silent(samples: int) -> None:
    data = tiff(np.zeros((8, 8, 1), np.uint8), more={277: (4, [samples])})
    code = (
        "import logging, sys; logging.basicConfig(level=logging.INFO);"
        "from service.preprocessing import ImageError, decode\n"
        "try: decode(sys.stdin.buffer.read())\n"
        "except ImageError as error: print(type(error).__name__)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=data, cwd=PROJECT, capture_output=True, check=True, timeout=60)
    assert done.stdout.strip() == b"BrokenImageError"
    assert not done.stderr


def test_an_opened_image_knows_its_pixels_as_stored() -> None:
    assert open_image(encode(draw_digit(7, (1200, 900)), "JPEG")).pixels == 1200 * 900
    assert open_image(encode(draw_digit(7, (30, 20)))).pixels == 600


def test_opening_decodes_no_pixel() -> None:
    data = encode(draw_digit(7))
    opened = open_image(data[: len(data) // 2])
    with pytest.raises(BrokenImageError, match="cannot be decoded"):
        opened.decode()


def test_decoding_frees_the_picture() -> None:
    opened = open_image(PNG)
    opened.decode()
    with pytest.raises(BrokenImageError):
        opened.decode()
