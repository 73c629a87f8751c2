"""The pictures of several readings in docs/preprocessing.md, with those that the shipped network chooses.

recorded strokes -> cut out in four ways -> each of their readings -> the chosen one framed -> one sheet
                 -> small and in black and white -> with hard edges, softened -> one sheet
                 -> on a panel, with a line across, as an outline -> first and second look -> one sheet
                 -> a number -> its writing -> its digits framed -> one sheet
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from service.config import PROJECT
from service.model.answering import answer_grey
from service.model.artifact import load
from service.model.classifier import Classifier
from service.preprocessing import MNIST_GEOMETRY, Reading, read_grey
from service.preprocessing.normalization import normalize
from service.reading.reader import read
from service.reading.writing import find_writing

TILE = 128  # pixels, of each picture in a sheet
GAP = 8
CHOSEN = (214, 92, 0)
EDGE = (200, 200, 200)


def cut_outs(digit: Image.Image) -> Image.Image:
    """Return a sheet: above, the files; below, the readings of each, the chosen one framed in orange.

    digit: black on white, in mode L.
    """
    tight = digit.crop(ImageOps.invert(digit).getbbox())
    small = tight.resize((16, 16), Image.Resampling.BOX).point(lambda value: 255 * (value > 150))
    shaded = np.asarray(tight) * np.linspace(0.95, 0.55, tight.width)[None]
    striped = np.asarray(digit.resize((84, 84), Image.Resampling.BOX)).copy()
    striped[:, :20] = 255 - striped[:, :20]
    striped[:, 64:] = 255 - striped[:, 64:]
    files = [np.asarray(tight), 255 - np.asarray(tight), np.asarray(small), shaded, striped]
    classifier = _classifier()
    columns = []
    for grey in files:
        chosen = answer_grey(classifier, np.asarray(grey, np.float32)).reading
        readings = read_grey(np.asarray(grey, np.float32), MNIST_GEOMETRY)
        column = [_tile(grey, EDGE)]
        column += [_tile(_seen(one), CHOSEN if _same(one, chosen) else EDGE) for one in _distinct(readings)]
        columns.append(column)
    return _sheet(columns)


def black_and_white(digits: list[Image.Image]) -> Image.Image:
    """Return a sheet: above, the files; then what a network would see of their hard edges, and what it sees.

    digits: black on white, in mode L.
    """
    classifier = _classifier()
    columns = []
    for digit in digits:
        small = digit.crop(ImageOps.invert(digit).getbbox())
        small.thumbnail((18, 18), Image.Resampling.BOX)
        hard = np.asarray(small.point(lambda value: 255 * (value > 150)), np.float32)
        kept = normalize(1 - hard[None] / 255, MNIST_GEOMETRY)[0]
        softened = answer_grey(classifier, hard).reading
        tiles = (_tile(hard, EDGE), _tile(_seen(Reading(kept)), EDGE), _tile(_seen(softened), CHOSEN))
        columns.append(list(tiles))
    return _sheet(columns)


def second_looks(digit: Image.Image) -> Image.Image:
    """Return a sheet: above, the files; then the first reading of each, and the one of the second look."""
    page = Image.new("L", (260, 220), 255)
    page.paste(
        ImageOps.invert(digit.resize((140, 140))).point(lambda value: 30 + value * 210 // 255), (60, 36)
    )
    ImageDraw.Draw(page).line((20, 210, 240, 210), fill=0, width=2)
    crossed = digit.resize((84, 84), Image.Resampling.BOX)
    places = [(x, 54 + 4 * (1 - 2 * (x // 8 % 2))) for x in range(4, 84, 8)]
    ImageDraw.Draw(crossed).line(places, fill=0, width=2)
    fine = digit.filter(ImageFilter.MaxFilter(9))
    edges = np.asarray(fine, int) - np.asarray(fine.filter(ImageFilter.MinFilter(5)), int)
    outline = Image.fromarray((255 - edges.clip(0, 255)).astype(np.uint8))
    classifier = _classifier()
    columns = []
    for file in (page, crossed, outline):
        grey = np.asarray(file, np.float32)
        first = read_grey(grey, MNIST_GEOMETRY)[0]
        columns.append(
            [
                _tile(grey, EDGE),
                _tile(_seen(first), EDGE),
                _tile(_seen(answer_grey(classifier, grey).reading), CHOSEN),
            ]
        )
    return _sheet(columns)


def number_read(page: np.ndarray) -> Image.Image:
    """Return a sheet: a gray page, (height, width); the writing found on it; and the digits read, framed."""
    (row,) = read(page, _classifier())
    boxes = Image.fromarray(page.astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(boxes)
    for prediction, (left, top, width, height) in row:
        draw.rectangle((left - 3, top - 3, left + width + 3, top + height + 3), outline=CHOSEN, width=2)
        draw.text((left, top + height + 5), str(prediction.digit), fill=CHOSEN, font_size=22)
    size = (page.shape[1], page.shape[0])
    found = Image.fromarray((255 * find_writing(page).ink).astype(np.uint8)).resize(size)
    rows = [Image.fromarray(page.astype(np.uint8)).convert("RGB"), found.convert("RGB"), boxes]
    sheet = Image.new("RGB", (size[0], 3 * size[1] + 2 * GAP), "white")
    for index, picture in enumerate(rows):
        sheet.paste(picture, (0, index * (size[1] + GAP)))
    return sheet


def _classifier() -> Classifier:
    return Classifier(load(PROJECT / "models/mnist-28x28.npz"))


def _same(one: Reading, other: Reading) -> bool:
    return np.array_equal(one.pixels, other.pixels)


def _distinct(readings: list[Reading]) -> list[Reading]:
    """Return the readings without those that look like an earlier one."""
    kept: list[Reading] = []
    for reading in readings:
        if not any(np.abs(reading.pixels - other.pixels).mean() < 0.01 for other in kept):
            kept.append(reading)
    return kept


def _seen(reading: Reading) -> np.ndarray:
    return 255 * reading.pixels.reshape(MNIST_GEOMETRY.side, -1)


def _tile(grey: np.ndarray, edge: tuple[int, int, int]) -> Image.Image:
    """Return a gray picture as large as fits into a tile, with a frame."""
    image = Image.fromarray(np.asarray(grey).clip(0, 255).astype(np.uint8))
    room = TILE - 6
    scale = room / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    resized = image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)
    framed = ImageOps.expand(resized.convert("RGB"), 3, edge)
    tile = Image.new("RGB", (TILE, TILE), "white")
    tile.paste(framed, ((TILE - framed.width) // 2, (TILE - framed.height) // 2))
    return tile


def _sheet(columns: list[list[Image.Image]]) -> Image.Image:
    rows = max(map(len, columns))
    sheet = Image.new("RGB", (len(columns) * (TILE + GAP) - GAP, rows * (TILE + GAP) - GAP), "white")
    for x, column in enumerate(columns):
        for y, tile in enumerate(column):
            sheet.paste(tile, (x * (TILE + GAP), y * (TILE + GAP)))
    return sheet
