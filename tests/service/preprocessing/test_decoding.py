"""Bytes of every kind of image file become the same gray picture, or a clear error."""

import io
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from service.preprocessing.decoding import _check_size as check_size
from service.preprocessing.decoding import decode, open_image
from service.preprocessing.errors import (
    BrokenImageError,
    EmptyImageError,
    ImageError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from service.preprocessing.opening import FORMATS
from tests.drawing import draw_digit, encode
from tests.serving import PROJECT

SEVEN = draw_digit(7)
SEVEN_PNG = encode(SEVEN)


def assert_dark_seven_on_light(grey: np.ndarray) -> None:
    """The stroke at the top of the 7 is dark, a corner of the picture light."""
    height, width = grey.shape
    assert grey[2, 2] > 200
    assert grey[round(0.206 * height), round(0.5 * width)] < 80


@pytest.mark.parametrize("format", FORMATS)
def test_every_promised_format_is_read(format):
    assert_dark_seven_on_light(decode(encode(SEVEN, format)))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "I;16", "F"])
def test_every_pixel_mode_keeps_dark_ink_on_light_paper(mode):
    if mode == "I;16":
        data = encode(Image.fromarray(np.asarray(SEVEN).astype(np.uint16) * 257), "PNG")
    elif mode in ("CMYK", "YCbCr", "F"):
        data = encode(SEVEN.convert(mode), "TIFF")
    else:
        data = encode(SEVEN.convert(mode), "PNG")
    assert_dark_seven_on_light(decode(data))


def test_twelve_bits_in_a_sixteen_bit_file_use_the_whole_range():
    grey = decode(encode(Image.fromarray(np.asarray(SEVEN).astype(np.uint16) * 16)))
    assert grey.max() == 255
    assert grey.min() == 0


@pytest.mark.parametrize(("dark", "light"), [(-3.4e38, 3.4e38), (-1e38, 3e38), (0, 1e-30), (-5e-36, 0)])
def test_floating_point_values_of_any_size_use_the_whole_range(dark, light):
    values = np.where(np.asarray(SEVEN) < 128, np.float32(dark), np.float32(light))
    grey = decode(encode(Image.fromarray(values), "TIFF"))
    np.testing.assert_allclose(grey, np.where(np.asarray(SEVEN) < 128, 0, 255), rtol=1e-6)


def test_nearly_equal_floating_point_values_are_blank():
    values = np.where(np.asarray(SEVEN) < 128, np.float32(0), np.float32(1e-42))
    assert (decode(encode(Image.fromarray(values), "TIFF")) == 255).all()


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (200, 30, 30)])
def test_ink_on_a_transparent_ground_is_seen_in_any_color(color):
    picture = Image.new("RGBA", SEVEN.size, (*color, 0))
    picture.putalpha(Image.eval(SEVEN, lambda value: 255 - value))
    grey = decode(encode(picture))
    inked = np.asarray(SEVEN.reduce(1)) < 128
    assert np.ptp(grey) > 100
    assert grey[inked].mean() < grey[~inked].mean() - 100


def test_a_palette_with_a_transparent_color_is_laid_on_paper():
    picture = SEVEN.convert("P")
    grey = decode(encode(picture, "GIF", transparency=picture.getpixel((0, 0))))
    assert_dark_seven_on_light(grey)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = draw_digit(7, (120, 100))
    for step in undo.get(orientation, []):
        stored = stored.transpose(step)
    upright = np.asarray(draw_digit(7, (120, 100)), np.float32)
    grey = decode(encode(stored, "JPEG", exif=exif, quality=95))
    assert np.abs(grey - upright).mean() < 4


@pytest.mark.parametrize(
    ("ink", "paper"),
    [((250, 230, 40), (255, 255, 255)), ((200, 40, 40), (40, 140, 40)), ((90, 200, 250), (255, 255, 255))],
)
def test_colored_ink_stands_out(ink, paper):
    grey = decode(encode(draw_digit(7, mode="RGB", ink=ink, paper=paper)))
    assert np.ptp(grey) > 90


def test_the_first_frame_of_an_animation_is_taken():
    buffer = io.BytesIO()
    SEVEN.save(buffer, "GIF", save_all=True, append_images=[draw_digit(1), draw_digit(2)])
    np.testing.assert_array_equal(decode(buffer.getvalue()), decode(encode(SEVEN, "GIF")))


def test_pillow_warnings_are_ignored_where_warnings_are_errors():
    code = (
        "import sys; from PIL import Image; from service.preprocessing.decoding import decode;"
        "Image.MAX_IMAGE_PIXELS = 30_000; print(decode(sys.stdin.buffer.read()).shape)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command, input=encode(SEVEN), cwd=PROJECT, capture_output=True, check=True, timeout=60
    )
    assert done.stdout.strip() == b"(200, 200)"
    assert not done.stderr


def test_a_small_grey_picture_comes_out_value_for_value():
    values = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(values))), values)


@pytest.mark.parametrize("size", [(3000, 2000), (300, 5000), (256, 256), (1, 60_000)])
def test_large_pictures_are_averaged_down(size):
    grey = decode(encode(Image.new("L", size, 200)))
    assert max(grey.shape) < 256
    assert (grey == 200).all()


def png_header(width: int, height: int, depth: int = 8) -> bytes:
    """Return a PNG that declares its size and holds a few bytes of pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("depth", [1, 8])
def test_too_many_pixels_are_refused_before_any_is_decoded(depth):
    with pytest.raises(TooManyPixelsError, match="9400 x 9400 = 88360000 pixels; at most 52000000"):
        decode(png_header(9400, 9400, depth))


def test_the_pixel_limit_is_a_parameter():
    with pytest.raises(TooManyPixelsError, match="at most 39999"):
        decode(encode(SEVEN), max_pixels=39_999)
    decode(encode(SEVEN), max_pixels=40_000)


def test_a_size_beyond_pillows_bomb_limit_is_too_many_pixels():
    with pytest.raises(TooManyPixelsError):
        decode(png_header(60_000, 60_000), max_pixels=1_000_000_000)


def test_no_bytes_are_an_empty_image():
    with pytest.raises(EmptyImageError, match="0 bytes"):
        decode(b"")


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"hello, this is text", "not those of a supported image format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"%PDF-1.7", "not those of a supported image format"),
        (b"8BPS\0\1", "not those of a supported image format"),
        (b"\0", "not those of a supported image format"),
    ],
)
def test_other_content_is_an_unsupported_format(data, hint):
    with pytest.raises(UnsupportedFormatError, match=hint):
        decode(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_broken(format, share):
    data = encode(draw_digit(7, mode="RGB", ink=(9, 9, 99), paper=(250, 240, 230)), format)
    with pytest.raises((BrokenImageError, UnsupportedFormatError)):
        decode(data[: int(len(data) * share)])


def test_a_png_that_ends_within_its_pixels_is_broken():
    data = encode(SEVEN)
    with pytest.raises(BrokenImageError, match="cannot be decoded"):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize("format", FORMATS)
def test_flipped_bytes_raise_only_image_errors(format):
    rng = np.random.default_rng(11)
    original = encode(draw_digit(7, (60, 50)), format)
    for _ in range(150):
        data = bytearray(original)
        for position in rng.integers(0, len(data), rng.integers(1, 8)):
            data[position] = rng.integers(0, 256)
        try:
            grey = decode(bytes(data))
        except ImageError:
            continue
        assert grey.ndim == 2
        assert grey.dtype == np.float32
        assert np.isfinite(grey).all()


# Written out, so that one that is no longer caught is noticed.
RAISED = [
    *(OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, OverflowError),
    *(ZeroDivisionError, NotImplementedError, AttributeError, AssertionError, RuntimeError),
    *(RecursionError, MemoryError, struct.error, zlib.error, UnicodeError),
]


@pytest.mark.parametrize("error", RAISED)
def test_whatever_a_decoder_raises_is_a_broken_image(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(_: Image.Image) -> None:
        raise error("inside")

    monkeypatch.setattr(Image.Image, "load", fail)
    with pytest.raises(BrokenImageError, match=r"cannot be decoded: .*inside"):
        decode(SEVEN_PNG)


def test_pillows_bomb_error_is_too_many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(TooManyPixelsError):
        decode(SEVEN_PNG)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_an_image_opened_without_a_pixel_is_broken(size: tuple[int, int]) -> None:
    with pytest.raises(BrokenImageError, match=f"{size[0]} x {size[1]} pixels"):
        check_size(Image.new("L", size), 100)


def test_opened_images_are_decoded_in_any_thread():
    files = [encode(SEVEN, format) for format in FORMATS]
    opened = [open_image(data) for data in files]
    with ThreadPoolExecutor(3) as threads:
        decoded = list(threads.map(lambda image: image.decode(), opened))
    for data, grey in zip(files, decoded, strict=True):
        np.testing.assert_array_equal(grey, decode(data))
