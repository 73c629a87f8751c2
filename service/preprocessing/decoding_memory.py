"""How much memory decoding takes, told from the header alone.

opened image -> format, mode, size, kind of compression -> bytes, an upper bound
"""

from PIL import Image

# Bytes a pixel while a file is read. Pillow keeps color in four.
_BYTES_A_PIXEL = {"WEBP": 21, "TIFF": 24}
_PROGRESSIVE_BYTES_A_PIXEL = 12  # of the whole picture: all its coefficients are kept


def decoding_bytes(image: Image.Image, pixels: int) -> int:
    """Return an upper bound of the memory that loading an image takes; it had `pixels` before `draft`."""
    if image.info.get("progressive"):
        return pixels * _PROGRESSIVE_BYTES_A_PIXEL
    return image.width * image.height * _BYTES_A_PIXEL.get(image.format or "", 9)
