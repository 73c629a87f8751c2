"""Large image files of the kinds that take the most memory, some of which Pillow reads but does not write.

    KINDS: name -> function of (width, height) -> bytes of a file

The pictures are flat with a dark bar and a band of noise, so that they are quick to write and small.
"""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from service.preprocessing.opening import FORMATS

Writer = Callable[[int, int], bytes]


def picture(width: int, height: int, bands: int = 1, dtype: type = np.uint8) -> np.ndarray:
    """Return a picture, (height, width, bands), in the whole range of an integer dtype."""
    most = np.iinfo(dtype).max
    values = np.full((height, width, bands), most - most // 20, dtype)
    values[height // 4 : height // 2, width // 3 : width // 2] = most // 20
    noisy = values[: height // 16]
    noisy[...] = np.random.default_rng(0).integers(0, most, noisy.shape, dtype, endpoint=True)
    return values


def image(mode: str, width: int, height: int) -> Image.Image:
    """Return the picture in one of Pillow's modes of eight bits a band."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), picture(width, height, bands).tobytes())


def written(mode: str, format: str, **options: object) -> Writer:
    """Return a writer of what Pillow can write itself."""

    def write(width: int, height: int) -> bytes:
        buffer = io.BytesIO()
        source = image("L" if mode in ("1", "P") else mode, width, height)
        (source if source.mode == mode else source.convert(mode)).save(buffer, format, **options)
        return buffer.getvalue()

    return write


def segments(jpeg: bytes) -> tuple[dict[int, list[bytes]], bytes]:
    """Return the segments of a baseline JPEG by marker, and its entropy-coded data."""
    found: dict[int, list[bytes]] = {}
    position = 2
    while True:
        marker, length = struct.unpack_from(">xBH", jpeg, position)
        found.setdefault(marker, []).append(jpeg[position : position + 2 + length])
        position += 2 + length
        if marker == 0xDA:
            return found, jpeg[position:-2]


def jpeg_of_many_scans(width: int, height: int) -> bytes:
    """Return a baseline JPEG whose three components each have a scan of their own."""
    found, coded = segments(written("L", "JPEG")(width, height))
    (frame,) = found[0xC0]
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    frame = frame[:2] + struct.pack(">H", 8 + len(components)) + frame[4:9] + b"\3" + components
    scans = b"".join(b"\xff\xda\0\x08\x01" + bytes([number, 0]) + b"\0\x3f\0" + coded for number in (1, 2, 3))
    return b"\xff\xd8" + b"".join(found[0xDB]) + frame + b"".join(found[0xC4]) + scans + b"\xff\xd9"


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a part of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


# Top, left, rows and columns from one pixel to the next of PNG's seven interlaced passes.
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def png(bands: int, dtype: type, interlaced: bool) -> Writer:
    """Return a writer of gray (1), RGB (3) or RGBA (4) PNG files of 8 or 16 bits."""

    def write(width: int, height: int) -> bytes:
        values = picture(width, height, bands, dtype)
        big_endian = values.astype(values.dtype.newbyteorder(">"))
        packer = zlib.compressobj(1)
        rows = []
        for top, left, down, across in ADAM7 if interlaced else [(0, 0, 1, 1)]:
            for row in big_endian[top::down, left::across]:
                rows.append(packer.compress(b"\0" + row.tobytes()))
        body = b"".join(rows) + packer.flush()
        color = {1: 0, 3: 2, 4: 6}[bands]
        head = struct.pack(">IIBBBBB", width, height, 8 * values.itemsize, color, 0, 0, int(interlaced))
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")

    return write


def bmp(bits: int, compression: int, body: bytes, width: int, height: int, more: bytes = b"") -> bytes:
    """Return a bitmap file. more: masks or palette."""
    start = 14 + 40 + len(more)
    head = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start)
    sizes = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, 0, 0)
    return head + sizes + more + body


def bmp_of_32_bits(width: int, height: int) -> bytes:
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    data = bmp(32, 3, picture(width, height, 4).tobytes(), width, height, masks)
    return data[:14] + struct.pack("<I", 56) + data[18:54] + masks + data[70:]


def bmp_of_runs(width: int, height: int) -> bytes:
    row = b"".join(bytes([min(255, width - x), 200]) for x in range(0, width, 255)) + b"\0\0"
    palette = bytes(value for index in range(256) for value in (index, 255 - index, index, 0))
    return bmp(8, 1, row * height + b"\0\1", width, height, palette)


def tiff(
    values: np.ndarray,
    compression: int = 1,
    tile: tuple[int, int] | None = None,
    planar: bool = False,
    photometric: int | None = None,
    strips: list[bytes] | None = None,
    more: dict[int, tuple[int, list[int]]] | None = None,
) -> bytes:
    """Return a TIFF of values, (height, width, bands), in one strip or in tiles; compression 8 deflates them.

    strips: their bytes, where they are not made of the values. more: further tags: type (3 or 4), numbers.
    """
    height, width, bands = values.shape
    planes = [values[..., band] for band in range(bands)] if planar else [values]
    if strips is None:
        parts = [plane.tobytes() for plane in planes]
        if tile:
            down, across = tile
            parts = []
            for plane in planes:
                for top in range(0, height, down):
                    for left in range(0, width, across):
                        part = plane[top : top + down, left : left + across]
                        room = [(0, down - part.shape[0]), (0, across - part.shape[1])]
                        parts.append(np.pad(part, room + [(0, 0)] * (part.ndim - 2)).tobytes())
        strips = [zlib.compress(part, 1) for part in parts] if compression == 8 else parts
    offsets = [8 + sum(map(len, strips[:index])) for index in range(len(strips))]
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    where, lengths = (324, 325) if tile else (273, 279)
    tags: dict[int, tuple[int, list[int]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [8 * values.itemsize] * bands),
        259: (3, [compression]),
        262: (3, [photometric if photometric is not None else 2 if bands >= 3 else 1]),
        where: (4, offsets),
        lengths: (4, [len(strip) for strip in strips]),
        277: (3, [bands]),
        284: (3, [2 if planar else 1]),
        339: (3, [kind] * bands),
    }
    if bands == 4 and photometric is None:
        tags[338] = (3, [2])
    tags |= {322: (4, [tile[1]]), 323: (4, [tile[0]])} if tile else {278: (4, [height])}
    tags |= more or {}
    body = b"".join(strips)
    body += b"\0" * (len(body) % 2)
    entries, start = b"", 8 + len(body)
    values_start = start + 2 + 12 * len(tags) + 4
    beyond = b""
    for tag, (type_, numbers) in sorted(tags.items()):
        packed = struct.pack(f"<{len(numbers)}{'H' if type_ == 3 else 'I'}", *numbers)
        if len(packed) > 4:
            entries += struct.pack("<HHII", tag, type_, len(numbers), values_start + len(beyond))
            beyond += packed + b"\0" * (len(packed) % 2)
        else:
            entries += struct.pack("<HHI4s", tag, type_, len(numbers), packed)
    return (
        b"II*\0"
        + struct.pack("<I", start)
        + body
        + struct.pack("<H", len(tags))
        + entries
        + b"\0" * 4
        + beyond
    )


def tiff_of(bands: int, dtype: type = np.uint8, **options: object) -> Writer:
    def write(width: int, height: int) -> bytes:
        values = picture(width, height, bands, np.uint16 if dtype is np.float32 else dtype).astype(dtype)
        return tiff(values, **options)

    return write


def tiff_of_one_tile(width: int, height: int) -> bytes:
    return tiff(picture(width, height, 3), 8, tile=(-(-height // 16) * 16, -(-width // 16) * 16))


def tiff_of_jpeg(mode: str, photometric: int, **options: object) -> Writer:
    def write(width: int, height: int) -> bytes:
        coded = written(mode, "JPEG", **options)(width, height)
        bands = len(Image.new(mode, (1, 1)).getbands())
        more = {530: (3, [1, 1])} if photometric == 6 else None
        return tiff(
            np.zeros((height, width, bands), np.uint8), 7, strips=[coded], photometric=photometric, more=more
        )

    return write


KINDS: dict[str, Writer] = {
    "JPEG, 4:2:0": written("RGB", "JPEG"),
    "JPEG, CMYK": written("CMYK", "JPEG"),
    "JPEG, progressive 4:2:0": written("RGB", "JPEG", progressive=True),
    "JPEG, progressive 4:4:4": written("RGB", "JPEG", progressive=True, subsampling=0),
    "JPEG, progressive grey": written("L", "JPEG", progressive=True),
    "JPEG, progressive CMYK": written("CMYK", "JPEG", progressive=True),
    "JPEG, a scan for each component": jpeg_of_many_scans,
    "PNG, grey": png(1, np.uint8, False),
    "PNG, RGB": png(3, np.uint8, False),
    "PNG, RGBA": png(4, np.uint8, False),
    "PNG, palette with transparency": written("P", "PNG", transparency=bytes(range(256))),
    "PNG, 16 bits grey": png(1, np.uint16, False),
    "PNG, 16 bits RGBA, interlaced": png(4, np.uint16, True),
    "WebP, lossy with alpha": written("RGBA", "WEBP", method=0),
    "WebP, lossless with alpha": written("RGBA", "WEBP", lossless=True, method=0, quality=0),
    "BMP, 32 bits with alpha": bmp_of_32_bits,
    "BMP, runs": bmp_of_runs,
    "GIF, interlaced, transparent": written("P", "GIF", interlace=1, transparency=0),
    "TIFF, RGBA of 16 bits, deflated": tiff_of(4, np.uint16, compression=8),
    "TIFF, RGBA of 16 bits, deflated, planar": tiff_of(4, np.uint16, compression=8, planar=True),
    "TIFF, RGB of 16 bits, deflated tiles": tiff_of(3, np.uint16, compression=8, tile=(256, 256)),
    "TIFF, RGB, one deflated tile": tiff_of_one_tile,
    "TIFF, RGB, planar": tiff_of(3, planar=True),
    "TIFF, float32": tiff_of(1, np.float32),
    "TIFF, float32, deflated": tiff_of(1, np.float32, compression=8),
    "TIFF, CMYK, deflated": tiff_of(4, compression=8, photometric=5),
    "TIFF, LZW, one strip": written("RGB", "TIFF", compression="tiff_lzw", tiffinfo={278: 100_000}),
    "TIFF, fax": written("1", "TIFF", compression="group4"),
    "TIFF, ZSTD": written("RGBA", "TIFF", compression="zstd", tiffinfo={278: 100_000}),
    "TIFF, LZMA": written("RGBA", "TIFF", compression="lzma", tiffinfo={278: 100_000}),
    "TIFF, progressive JPEG": tiff_of_jpeg("RGB", 6, progressive=True, subsampling=0),
    "TIFF, progressive CMYK JPEG": tiff_of_jpeg("CMYK", 5, progressive=True),
    "TIFF, RGBA of 16 bits, lying": tiff_of(4, np.uint16, compression=8, more={274: (3, [6])}),
    "TIFF, YCbCr, deflated": tiff_of(3, compression=8, photometric=6, more={530: (3, [1, 1])}),
}
if "HEIF" in FORMATS:  # two kinds: encoding them takes seconds
    KINDS |= {
        "HEIC, 4:2:0": written("RGB", "HEIF"),
        "AVIF, with alpha": written("RGBA", "AVIF", speed=10),
    }
