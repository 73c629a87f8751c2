"""The pictures of docs/preprocessing.md, from a photograph that is drawn here.

    python -m docs.pictures docs/pictures

recorded strokes -> a page with lines, shadow, grain and a speck -> JPEG -> each step of preprocessing -> PNG
                 -> the same digit sent in eight ways -> what the network sees of each -> one PNG
                 -> cut out, black and white, on a panel -> its readings (docs/readings.py) -> three PNGs
                 -> a number on ruled paper, two digits touching -> what is read -> one PNG
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFilter, ImageOps

from docs.readings import black_and_white, cut_outs, number_read, second_looks
from service.preprocessing.cleaning import erase_lines
from service.preprocessing.decoding import decode
from service.preprocessing.ink import MIN_SIGNAL_TO_NOISE, extract_ink, ink_levels
from service.preprocessing.normalization import MNIST_GEOMETRY
from service.preprocessing.paper import ink_darkness
from service.preprocessing.pipeline import preprocess
from tests.browser.hand import RECORDED

SIDE = 256  # pixels, of each picture
GAP = 8
EDGE = (200, 200, 200)  # a thin line around each: white paper on a white page has no end
PAPER = (246, 241, 228)
PEN = (38, 52, 104)
STYLE = (7, "European, with a bar")
Strokes = list[list[list[int]]]  # points [x, y, milliseconds], x and y in thousandths of the side


def main(folder: Path) -> None:
    """Write the pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures():
        picture.quantize(256 if picture.mode == "RGB" else 64).save(folder / f"{name}.png", optimize=True)


def pictures() -> Iterator[tuple[str, Image.Image]]:
    """Yield the name and the picture of each step, and that of the eight ways."""
    data = photograph()
    grey = decode(data)
    darkness = ink_darkness(grey)
    unruled = erase_lines(darkness, ink_levels(darkness, MIN_SIGNAL_TO_NOISE).faint)
    yield "1-photograph", _shown(Image.open(io.BytesIO(data)))
    yield "2-grey", _shown(_image(grey / 255))
    yield "3-even", _shown(_image(1 - darkness / np.percentile(darkness, 99.5)))
    yield "4-unruled", _shown(_image(1 - unruled / np.percentile(darkness, 99.5)))
    yield "5-ink", _shown(_image(extract_ink(grey)))
    yield "6-pixels", _shown(seen(data))
    yield "eight-ways", eight_ways()
    digit = written(SIDE, 255, 0, "L", pen=0.09, box=(0.3, 0.28, 0.42))
    yield "cut-outs", cut_outs(digit)
    hands = (
        (2, "with a loop at the foot"),
        (3, "round"),
        (5, "hat drawn last"),
        STYLE,
        (8, "one stroke, S first"),
    )
    yield (
        "black-and-white",
        black_and_white([written(SIDE, 255, 0, "L", strokes=recorded(*one)) for one in hands]),
    )
    yield "second-looks", second_looks(digit)
    yield "number-read", number_read(number())


def photograph(strokes: Strokes | None = None) -> bytes:
    """Return a JPEG of a digit on ruled paper in the shadow of a hand, 900 x 900, drawn, not taken.

    strokes: the digit's, if not those of the recorded one.
    """
    rng = np.random.default_rng(3)
    page = Image.new("RGB", (900, 900), PAPER)
    draw = ImageDraw.Draw(page)
    for y in range(60, 900, 130):
        draw.line((0, y, 900, y + 4), fill=(128, 158, 204), width=6)
    digit = written(900, 0, 255, "L", pen=0.035, box=(0.3, 0.22, 0.42), strokes=strokes)
    page.paste(PEN, mask=digit)
    draw.ellipse((690, 246, 704, 258), fill=(90, 82, 70))  # a crumb
    y, x = np.mgrid[0:1:900j, 0:1:900j]
    light = 0.97 - 0.34 * x * x - 0.16 * y  # falls off toward one side
    light -= 0.18 / (1 + np.exp(-40 * (x + 0.55 * y - 1.15)))  # and a hand is in it
    values = np.asarray(page.filter(ImageFilter.GaussianBlur(1.6)), np.float32) * light[..., None]
    values += rng.normal(0, 4, values.shape)
    return encoded(Image.fromarray(values.clip(0, 255).astype(np.uint8)), "JPEG", quality=82)


def recorded(digit: int, style: str) -> Strokes:
    """Return the strokes of a recorded digit."""
    (found,) = [each["strokes"] for each in RECORDED if (each["digit"], each["style"]) == (digit, style)]
    return found


def written(
    side: int,
    paper: tuple[int, ...] | int,
    ink: tuple[int, ...] | int,
    mode: str = "RGB",
    pen: float = 0.07,
    box: tuple[float, float, float] = (0.0, 0.0, 1.0),
    strokes: Strokes | None = None,
) -> Image.Image:
    """Return a picture of strokes, or of the recorded digit; box: left, top, size as shares of the side."""
    large = 2 * side  # drawn twice as large and averaged, for smooth edges
    image = Image.new(mode, (large, large), paper)
    draw = ImageDraw.Draw(image)
    left, top, size = (large * share for share in box)
    for stroke in strokes or recorded(*STYLE):
        points = [(left + size * x / 1000, top + size * y / 1000) for x, y, _ in stroke]
        radius = pen * large / 2
        draw.line(points, fill=ink, width=round(2 * radius), joint="curve")
        for x, y in points:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    return image.resize((side, side), Image.Resampling.BOX)


def number() -> np.ndarray:
    """Return a gray page, (200, 560), with 1378 on ruled paper in a shadow; the 3 and the 7 touch."""
    page = Image.new("L", (560, 560), 244)
    for y in range(30, 200, 56):
        ImageDraw.Draw(page).line((0, y, 560, y + 3), fill=196, width=2)
    values = np.asarray(page, np.float32)
    styles = ((1, "with flag and foot"), (3, "round"), STYLE, (8, "one stroke, S first"))
    for style, left in zip(styles, (0.07, 0.29, 0.384, 0.68), strict=True):
        box = (left, 0.04, 0.26)
        digit = written(560, 244, 50, "L", pen=0.014, box=box, strokes=recorded(*style))
        values = np.minimum(values, np.asarray(digit, np.float32))
    x = np.linspace(0, 1, 560)
    return values[:200] * (1 - 0.3 / (1 + np.exp(-20 * (x - 0.62))))


def eight_ways() -> Image.Image:
    """Return eight pictures of a digit in a row, what the network sees of each below it."""
    columns = [(file, seen(file)) for file in ways()]
    side = SIDE // 2
    sheet = Image.new("RGB", (len(columns) * (side + GAP) - GAP, 2 * side + GAP), "white")
    for index, (file, pixels) in enumerate(columns):
        sent = Image.open(io.BytesIO(file))  # one lies on its side, and its EXIF data says so
        if sent.mode == "I;16":
            sent = _image(np.asarray(sent) / 65_535)
        ground = checkers(sent.size) if sent.has_transparency_data else Image.new("RGB", sent.size)
        sent = sent.convert("RGBA")
        ground.paste(sent, mask=sent)
        sheet.paste(_shown(ground, side), (index * (side + GAP), 0))
        sheet.paste(_shown(pixels, side), (index * (side + GAP), side + GAP))
    return sheet


def ways() -> list[bytes]:
    """Return image files of the same digit: eight ways that people send one."""
    plain = written(300, "white", "black")
    framed = written(300, "white", "black", box=(0.15, 0.15, 0.7))
    ImageDraw.Draw(framed).rectangle((20, 20, 280, 280), outline=(60, 60, 60), width=5)
    small = written(300, "white", "black", pen=0.025, box=(0.6, 0.1, 0.3))
    lying = Image.Exif()
    lying[ExifTags.Base.Orientation] = 6
    return [
        encoded(plain),
        encoded(written(300, (30, 60, 48), (236, 240, 232))),
        encoded(written(300, (250, 244, 200), (250, 205, 60))),
        encoded(written(300, (255, 255, 255, 0), (255, 255, 255, 255), "RGBA")),
        encoded(plain.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=lying),
        encoded(framed),
        encoded(small),
        encoded(written(300, 42_000, 21_000, "I").convert("I;16"), "PNG"),
    ]


def seen(data: bytes) -> Image.Image:
    """Return the pixels that a network with 28 x 28 inputs sees of an image file."""
    side = MNIST_GEOMETRY.side
    return _image(preprocess(data, MNIST_GEOMETRY).reshape(side, side))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return the bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def checkers(size: tuple[int, int]) -> Image.Image:
    """Return the pattern that stands for transparency."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]] // 25
    return _image(np.where((x + y) % 2, 0.62, 0.72)).convert("RGB")


def _image(values: np.ndarray) -> Image.Image:
    return Image.fromarray((values * 255).clip(0, 255).astype(np.uint8))


def _shown(picture: Image.Image, side: int = SIDE) -> Image.Image:
    """Return a picture in the size of the document; small ones show their pixels."""
    small = picture.width <= side
    large = picture.resize((side, side), Image.Resampling.NEAREST if small else Image.Resampling.BOX)
    return ImageOps.expand(ImageOps.crop(large, 1), 1, EDGE if large.mode == "RGB" else EDGE[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
