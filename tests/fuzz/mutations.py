"""Image files damaged so that they get past the first look: seeds of every kind, right checksums.

    kinds of picture -> files; file -> mutated -> PNG checksums made right again -> file

A PNG whose checksums are wrong is refused before any of its content is read, so a change that is to
reach a decoder has to correct them.
"""

import struct
import zlib

from PIL import Image

from tests.drawing import draw_digit, encode

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def seed_files() -> dict[str, bytes]:
    """Return small image files of every format and of the pixel modes that have their own code."""
    grey = draw_digit(7, (24, 20))
    colour = draw_digit(7, (24, 20), mode="RGB", ink=(20, 30, 120), paper=(240, 235, 220))
    clear = draw_digit(7, (24, 20), mode="RGBA", ink=(0, 0, 0, 255), paper=(0, 0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    return {
        "grey.png": encode(grey),
        "bit.png": encode(grey.convert("1")),
        "palette.png": encode(colour.quantize(8), transparency=1),
        "clear.png": encode(clear),
        "deep.png": encode(grey.convert("I;16")),
        "colour.jpg": encode(colour, "JPEG", exif=exif),
        "progressive.jpg": encode(colour, "JPEG", progressive=True),
        "print.jpg": encode(colour.convert("CMYK"), "JPEG"),
        "frames.gif": encode(colour.quantize(8), "GIF", save_all=True, append_images=[colour.quantize(4)]),
        "colour.bmp": encode(colour, "BMP"),
        "bit.bmp": encode(grey.convert("1"), "BMP"),
        "lossy.webp": encode(colour, "WEBP"),
        "lossless.webp": encode(clear, "WEBP", lossless=True),
        "plain.tiff": encode(colour, "TIFF"),
        "packed.tiff": encode(grey, "TIFF", compression="tiff_lzw"),
        "fax.tiff": encode(grey.convert("1"), "TIFF", compression="group4"),
        "float.tiff": encode(grey.convert("F"), "TIFF"),
    }


def with_right_checksums(data: bytes) -> bytes:
    """Return `data` with the checksum of every PNG chunk made right; other files unchanged."""
    if not data.startswith(PNG_SIGNATURE):
        return data
    mended, position = bytearray(data), len(PNG_SIGNATURE)
    while position + 12 <= len(mended):
        (length,) = struct.unpack_from(">I", mended, position)
        end = position + 8 + length
        if end + 4 > len(mended):
            break
        struct.pack_into(">I", mended, end, zlib.crc32(mended[position + 4 : end]))
        position = end + 4
    return bytes(mended)
