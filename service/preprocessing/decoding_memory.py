"""How much memory decoding takes, estimated from the header.

    opened image -> the picture + the strip of it that is converted at a time
                  + what the decoder keeps: coefficients, canvases, strips of the file -> bytes

The figures were measured; tests/service/preprocessing/test_decoding_memory.py measures them again.
"""

import math
from itertools import pairwise

from PIL import ExifTags, Image, JpegImagePlugin, TiffImagePlugin

from service.preprocessing.grey import WORKING_SIDE, strip_pixels

# Bytes per pixel of a picture in memory; four for all other modes, RGB included.
_MODE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
_STRIP_BYTES = 16  # per pixel: cut out, converted, multiplied by its opacity
_REDUCED_BYTES = 32  # per pixel of the reduced picture: its conversion to gray
_BASE_BYTES = 512 * 1024  # decoders' tables and buffers

_COEFFICIENT_BYTES = 2
_LARGEST_MCU = 32  # pixels: the unit of JPEG's subsampling at its coarsest
# Components of JpegImagePlugin.get_sampling, counted in full ones: 4:4:4, 4:2:2, 4:2:0.
_SAMPLED_COMPONENTS = {0: 3.0, 1: 2.0, 2: 1.5}
_MAX_SEGMENTS = 1_000
_FEW_BYTES = 3 * 1024 * 1024  # checking whether a small picture needs them costs more than it saves

_WEBP_BYTES = 12.5  # per pixel: two canvases of the animation decoder, and the frame as bytes
_RUN_LENGTH_BMP_BYTES = 2.25  # per pixel: Pillow decodes to a bytearray and copies it to bytes

# Per pixel and channel: planes of the video frame, converted, copied. AVIF does not say whether it has more
# than 8 bits; HEIF does, and takes twice as much then.
_VIDEO_BYTES = {"HEIF": 3, "AVIF": 5}

_JPEG_IN_TIFF = ("jpeg", "tiff_jpeg")
# Other decoders may keep a dictionary or a window as long as the strip.
_WITHOUT_DICTIONARY = (
    *("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "group3", "group4", "tiff_ccitt"),
    *_JPEG_IN_TIFF,
)
_STRIP_ENTRY_BYTES = 32  # for each strip or tile in libtiff's directory


def decoding_bytes(
    image: Image.Image, size: tuple[int, int], data: bytes, working_side: int = WORKING_SIDE
) -> int:
    """Return an upper bound of the memory that decoding an opened image takes besides its file.

    image: after `draft`. size: (width, height) before. data: the file. working_side: see `grey.reduce`.
    """
    pixels = image.width * image.height
    mode_bytes = _MODE_BYTES.get(image.mode, 4)
    total = pixels * mode_bytes + strip_pixels(image, working_side) * _STRIP_BYTES
    total += min(pixels, (2 * working_side) ** 2) * _REDUCED_BYTES + _BASE_BYTES
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        return total + _jpeg_bytes(image, size, data)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return total + _tiff_bytes(image, pixels * mode_bytes, data)
    if image.format == "WEBP":
        return total + math.ceil(pixels * _WEBP_BYTES) + 3 * len(data)
    if image.format in _VIDEO_BYTES:
        deep = image.info.get("bit_depth", 8) > 8
        return total + pixels * len(image.getbands()) * _VIDEO_BYTES[image.format] * (1 + deep)
    if image.format == "BMP" and image.info.get("compression") in (1, 2):
        return total + math.ceil(pixels * _RUN_LENGTH_BMP_BYTES)
    return total


def _jpeg_bytes(image: JpegImagePlugin.JpegImageFile, size: tuple[int, int], data: bytes) -> int:
    """Return what a JPEG decoder keeps: lines of the picture, or all of its coefficients."""
    width, height = (-(-side // _LARGEST_MCU) * _LARGEST_MCU for side in size)
    components = len(image.getbands())
    coefficients = width * height * components * _COEFFICIENT_BYTES
    if coefficients < _FEW_BYTES:
        return coefficients
    if not image.info.get("progressive") and _is_one_scan(data, components):
        return width * components * 2 * _LARGEST_MCU
    sampled = _SAMPLED_COMPONENTS.get(JpegImagePlugin.get_sampling(image), float(components))
    return math.ceil(coefficients * sampled / components)


def _is_one_scan(data: bytes, components: int) -> bool:
    """Return whether a JPEG's first scan holds all components; else its decoder keeps all coefficients.

    Pillow does not expose this. It is also False if the segments before the scan are too many or unusual, so
    that a file cannot look cheaper than it is.
    """
    position = 2
    for _ in range(_MAX_SEGMENTS):
        marker, kind = data[position : position + 2].ljust(2, b"\0")
        if marker != 0xFF or kind < 0xC0 or 0xD0 <= kind <= 0xD9:
            return False
        if kind == 0xDA:
            return data[position + 4 : position + 5] == bytes([components])
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return False


def _tiff_bytes(image: TiffImagePlugin.TiffImageFile, picture_bytes: int, data: bytes) -> int:
    """Return what reading a TIFF takes: the strip or tile being read, and the picture turned upright."""
    tags = image.tag_v2
    turned = picture_bytes if tags.get(ExifTags.Base.Orientation, 1) != 1 else 0
    compression = image.info["compression"]
    if compression == "raw":
        # Pillow reads what lies between two strips in one piece, and copies it once. Of strips for the same
        # part of the picture it keeps only one.
        offsets = sorted({tile[1:2] + tile[3:]: tile[2] for tile in image.tile}.values())
        longest = max((after - before for before, after in pairwise(offsets)), default=0)
        return turned + 2 * (longest if len(offsets) == len(image.tile) else len(data))
    strip = strip_or_tile_pixels(image)
    samples = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    planes = samples if tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2 else 1
    bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))) * samples
    needed = strip * bits / 8 / planes
    if compression in _JPEG_IN_TIFF:
        needed += strip * _COEFFICIENT_BYTES * samples
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 6 or compression == "tiff_jpeg":
        needed += strip * 4  # converted from YCbCr to RGBA
    if compression not in _WITHOUT_DICTIONARY:
        needed *= 2
    strips = planes * -(-image.width * image.height // max(strip, 1)) + image.height
    return turned + math.ceil(needed) + strips * _STRIP_ENTRY_BYTES


def strip_or_tile_pixels(image: TiffImagePlugin.TiffImageFile) -> int:
    """Return how many pixels each strip or tile of a TIFF has; a tile may be larger than the picture."""
    tags = image.tag_v2
    if TiffImagePlugin.TILEWIDTH in tags:
        return int(tags[TiffImagePlugin.TILEWIDTH]) * int(tags.get(TiffImagePlugin.TILELENGTH, 1))
    width, height = tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH]
    return int(width) * min(int(tags.get(TiffImagePlugin.ROWSPERSTRIP, height)), int(height))
