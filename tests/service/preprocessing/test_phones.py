"""The pictures of phones: fifty megapixels as JPEG; HEIC and AVIF where pillow-heif is installed."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from service.config import Settings
from service.preprocessing import FORMATS, decode, open_image
from tests.drawing import draw_digit, encode
from tests.serving import PROJECT

FIFTY = (8192, 6144)  # what the largest sensors of phones write
SIX = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")


def test_a_jpeg_of_fifty_megapixels_fits_the_memory_of_a_pod() -> None:
    picture = encode(draw_digit(7).resize(FIFTY, Image.Resampling.NEAREST), "JPEG")
    opened = open_image(picture, Settings().max_image_pixels)
    lines = (PROJECT / "deploy/base/config.env").read_text().splitlines()
    pod = Settings.from_env(dict(line.split("=", 1) for line in lines if line.startswith("DIGITS_")))
    assert opened.decoding_bytes < pod.max_decoding_bytes // pod.workers
    assert opened.decode().min() < 80


def test_pictures_of_phones_are_upright() -> None:
    if "HEIF" not in FORMATS:
        pytest.skip("needs pillow-heif: pip install -r service/requirements-phones.txt")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    sideways = draw_digit(7).convert("RGB").transpose(Image.Transpose.ROTATE_90)
    for format in ("HEIF", "AVIF"):
        grey = decode(encode(sideways, format, exif=exif.tobytes()))
        straight = decode(encode(draw_digit(7)))
        assert abs(grey - straight).mean() < 5, format


def test_without_the_package_there_are_six_formats(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["pillow_heif"] = None
from service.preprocessing import FORMATS, UnsupportedFormatError, open_image
assert FORMATS == ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"), FORMATS
try:
    open_image(bytes(4) + b"ftypheic" + bytes(100))
except UnsupportedFormatError as error:
    assert "looks like HEIC" in str(error)
"""
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True, timeout=60)
    assert FORMATS[:6] == SIX
