"""Pictures as numbers: Kaggle's and scikit-learn's CSV files, and the npz files of Keras.

train.csv (label, 784 or 64 pixels a row) | mnist.npz (x_train, y_train ...) -> Raw (pictures, labels)
"""

import csv
import gzip
import hashlib
import io
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from trainer.data.examples import CLASSES
from trainer.errors import TrainerError

PIXELS = {784: 28, 64: 8}  # columns of pixels -> side of the picture
LABEL_NAMES = {"label", "labels", "class", "digit", "target", "y"}
FILE_NAMES = {"file", "filename", "file_name", "image", "img", "path", "name", "picture"}
INDEX_NAMES = {"", "id", "index", "unnamed: 0"}
PAIRS = (
    *(
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ),
    *(
        ("x", "y", "", ""),
        ("images", "labels", "", ""),
        ("data", "target", "", ""),
        ("data", "labels", "", ""),
    ),
)


class Raw(NamedTuple):
    """Pictures, (n, height, width) uint8, and labels, (n,) int64 in 0 ... 9."""

    pictures: np.ndarray
    labels: np.ndarray


class Layout(NamedTuple):
    """The columns of a CSV file: their names if there is a header, the delimiter, and what each column holds.

    label: column of the label; None without one. file: column of file names; None without one. pixels: the
    columns of pixels. header: whether the first line holds names.
    """

    delimiter: str
    header: bool
    label: int | None
    file: int | None
    pixels: tuple[int, ...]


def open_text(path: Path) -> IO[str]:
    """Return a CSV file as text, unpacked if its name ends in .gz; a byte-order mark is dropped."""
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def csv_layout(path: Path) -> Layout:
    """Return the columns of a CSV file; raise TrainerError if it cannot be read."""
    try:
        with open_text(path) as file:
            line = file.readline()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise TrainerError(f"{path} cannot be read: {error}") from error
    delimiter = max(",;\t", key=line.count)
    cells = next(csv.reader([line], delimiter=delimiter), [])
    names = [cell.strip().lower() for cell in cells]
    if all(map(_is_number, names)):
        return Layout(delimiter, False, None, None, tuple(range(len(names))))
    if len(names) == 2 and names[1].isdigit():
        return Layout(delimiter, False, 1, 0, ())  # no header: a.png,7
    label = next((i for i, name in enumerate(names) if name in LABEL_NAMES), None)
    pixels = [i for i, name in enumerate(names) if i != label and name not in INDEX_NAMES]
    file_column = next((i for i, name in enumerate(names) if name in FILE_NAMES), None)
    if file_column is None and len(names) == 2 and label is not None:
        file_column = 1 - label
    return Layout(delimiter, True, label, file_column, tuple(pixels))


def read_csv(path: Path, sources: dict[str, str]) -> tuple[Raw, list[str]]:
    """Return the pictures in a CSV file, and a note about rows that were skipped.

    sources: receives the SHA-256 of the uncompressed content. Raises TrainerError unless there is one
    column of labels and 784 or 64 of pixels.
    """
    layout = csv_layout(path)
    table, skipped = _numbers(path, layout, sources)
    label, pixels = layout.label, list(layout.pixels)
    if not layout.header and len(pixels) - 1 in PIXELS:
        label = _label_column(path, table)
        pixels.remove(label)
    if len(pixels) not in PIXELS or label is None:
        have = f"{len(pixels)} columns of pixels and {'no' if label is None else 'a'} column of labels"
        raise TrainerError(
            f"{path} has {have}; a column called label and 784 or 64 columns of pixels are expected"
        )
    raw = Raw(to_bytes(path, table[:, pixels]), to_labels(path, table[:, label]))
    return raw, [f"skipped, not a row of numbers: {skipped} rows of {path.name}"] if skipped else []


def _numbers(path: Path, layout: Layout, sources: dict[str, str]) -> tuple[np.ndarray, int]:
    """Return the rows of numbers, (n, columns) float32, and how many rows were skipped."""
    try:
        with open_text(path) as file:
            text = file.read()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise TrainerError(f"{path} cannot be read: {error}") from error
    sources[path.name.removesuffix(".gz")] = hashlib.sha256(text.encode()).hexdigest()
    rows = text.splitlines()[layout.header :]
    if not rows:
        raise TrainerError(f"{path} holds no row of numbers")
    try:
        table = np.loadtxt(rows, np.float32, delimiter=layout.delimiter, ndmin=2, quotechar='"')
        skipped = 0
    except ValueError:
        good, columns = [], len(next(csv.reader([text.partition("\n")[0]], delimiter=layout.delimiter)))
        for cells in csv.reader(rows, delimiter=layout.delimiter):
            if len(cells) == columns and all(map(_is_number, cells)):
                good.append(np.array(cells, np.float32))
        table, skipped = np.array(good, np.float32).reshape(-1, columns), len(rows) - len(good)
    if not len(table):
        raise TrainerError(f"{path} holds no row of numbers")
    return table, skipped


def _label_column(path: Path, table: np.ndarray) -> int:
    """Return the column of labels of a table without names: the first or the last."""
    columns = {0: "first", table.shape[1] - 1: "last"}
    fitting = [i for i in columns if _are_labels(table[:, i]) and len(np.unique(table[:, i])) > 1]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise TrainerError(
            f"{path} has no names of columns, and the first column could be the label as well as the last: "
            "add a first line that names one of them label"
        )
    raise TrainerError(f"{path} has no column of labels 0 to {CLASSES - 1}, neither the first nor the last")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _are_labels(values: np.ndarray) -> bool:
    return bool(np.isin(values, np.arange(CLASSES)).all())


def to_labels(path: Path, values: np.ndarray) -> np.ndarray:
    """Return labels, (n,) int64, of numbers or of rows with a single one; raise TrainerError for others."""
    if values.ndim == 2 and values.shape[1] == CLASSES:
        values = values.argmax(axis=1)
    values = values.reshape(-1)
    if values.dtype.kind not in "biuf" or not _are_labels(values):
        wrong = next((one for one in values.tolist() if one not in range(CLASSES)), values.dtype)
        raise TrainerError(f"{path}: a label is {wrong}; labels are 0 to {CLASSES - 1}")
    return values.astype(np.int64)


def to_bytes(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Return pictures, (n, height, width) uint8, of pixels from 0 to 255, 1 or, at 8x8, 16.

    pixels: (n, height, width), (n, height, width, 1), (n, 784) or (n, 64). Raises TrainerError for another
    shape or other values.
    """
    if pixels.ndim == 4 and pixels.shape[3] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2 and pixels.shape[1] in PIXELS:
        side = PIXELS[pixels.shape[1]]
        pixels = pixels.reshape(-1, side, side)
    if pixels.ndim != 3 or pixels.dtype.kind not in "biuf" or 0 in pixels.shape:
        raise TrainerError(f"{path}: pictures of shape {pixels.shape} and type {pixels.dtype} are not gray")
    if pixels.dtype == np.uint8 and pixels.max() > 16:
        return pixels
    lowest, highest = float(pixels.min()), float(pixels.max())
    if not (lowest >= 0 and highest <= 255):
        raise TrainerError(f"{path}: pixels are from {lowest:g} to {highest:g}; 0 to 255 are expected")
    scale = 255 if highest <= 1 else 255 / 16 if highest <= 16 and pixels.shape[1] == 8 else 1
    return np.rint(pixels * scale).astype(np.uint8)


def read_npz(path: Path, sources: dict[str, str]) -> list[Raw]:
    """Return the training pictures in an npz file, and the test pictures if it has some.

    sources: receives the SHA-256 of the file. Raises TrainerError if it holds no pictures and labels.
    """
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            names = {name.lower(): name for name in file.files}
            pair = next((pair for pair in PAIRS if pair[0] in names and pair[1] in names), None)
            if pair is None:
                raise TrainerError(
                    f"{path} holds {', '.join(file.files)}; x_train and y_train, or images and labels, "
                    "are expected"
                )
            arrays = [file[names[name]] for name in pair if name in names]
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise TrainerError(f"{path} cannot be read: {error}") from error
    sources[path.name] = hashlib.sha256(content).hexdigest()
    return [_raw(path, arrays[i : i + 2]) for i in range(0, len(arrays) - 1, 2)]


def _raw(path: Path, arrays: Sequence[np.ndarray]) -> Raw:
    raw = Raw(to_bytes(path, arrays[0]), to_labels(path, arrays[1]))
    if len(raw.pictures) != len(raw.labels):
        raise TrainerError(f"{path}: {len(raw.pictures)} pictures but {len(raw.labels)} labels")
    return raw
