"""Data sets by name, as pictures that went through the serving preprocessing.

    "digits" (scikit-learn) | "mnist", "fashion", "folder" with what people have -> Dataset (train, test)

--data is recognized by its content: IDX files, an npz, a CSV, a table of file names, a folder of
pictures. Every reader checks what it reads. A wrong file ends the command with one line.
"""

import csv
import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from service.model.classifier import Classifier
from service.preprocessing import DIGITS_GEOMETRY, MNIST_GEOMETRY, Geometry
from trainer.data.arrays import Raw, csv_layout, open_text, read_csv, read_npz
from trainer.data.examples import CLASSES, Dataset, Examples, hold_out, prepare
from trainer.data.folders import (
    FOLDER_TEST_SHARE,
    SUFFIXES,
    Listed,
    Skipped,
    list_folder,
    load_folder,
)
from trainer.data.idx import choose_idx, fetch_hint, find_idx, load_idx
from trainer.data.orientation import serving_model, upright
from trainer.errors import TrainerError, UsageError

DATASETS = ("digits", "mnist", "fashion", "folder")
DIGITS_TEST_SHARE = 0.2
DIGITS_SOURCE = "sklearn.datasets.load_digits"
EXTRA_PREFIX = "extra "  # prefix of the names of sources whose pictures are added to the data set's own
TABLE_NAMES = ("labels.csv", "label.csv", "annotations.csv")


def load_dataset(
    name: str,
    data: Path | None,
    geometry: Geometry | None = None,
    split_seed: int = 0,
    classifier: Classifier | None = None,
) -> Dataset:
    """Return the data set called `name`, one of DATASETS.

    data: the folder or file with the data; digits needs none. geometry: replaces the data set's own, for
    instance to evaluate an 8x8 model on MNIST. split_seed: decides which fifth of digits, or tenth of
    others without test pictures, is held out for testing. classifier: chooses among several readings of a
    picture; default: the model that serves. Raises UsageError if data is needed and not given, TrainerError
    for files that are missing or wrong.
    """
    if name == "digits":
        examples, digest = load_digits(geometry or DIGITS_GEOMETRY)
        train, test = hold_out(examples, DIGITS_TEST_SHARE, split_seed)
        return Dataset(name, geometry or DIGITS_GEOMETRY, train, test, {DIGITS_SOURCE: digest})
    if data is None:
        raise UsageError(f"the data set {name} needs --data DIR, the folder with its files")
    if not data.exists():
        hint = f". {fetch_hint(data)}" if name == "mnist" else ""
        raise TrainerError(f"{data} does not exist{hint}")
    classifier = classifier or serving_model()
    listing = _table_of_files(data)
    if listing:
        skipped = Skipped()
        files = _listed(listing, skipped)
        return load_folder(files, listing.parent, geometry or MNIST_GEOMETRY, split_seed, skipped, classifier)
    sources: dict[str, str] = {}
    notes: list[str] = []
    parts = _read_arrays(name, data, sources, notes)
    if parts:
        return _from_arrays(name, parts, geometry, split_seed, sources, notes)
    if name != "folder" and not any(path.suffix.lower() in SUFFIXES for path in data.rglob("*")):
        raise TrainerError(f"{data} holds no IDX file, npz, CSV or picture. {fetch_hint(data)}")
    skipped = Skipped()
    files = list_folder(data, skipped)
    return load_folder(files, data, geometry or MNIST_GEOMETRY, split_seed, skipped, classifier)


def load_digits(geometry: Geometry = DIGITS_GEOMETRY) -> tuple[Examples, str]:
    """Return the 1,797 digits that come with scikit-learn, ordered by writer, and their SHA-256."""
    from sklearn import datasets  # slow to import, and only needed here

    bunch = datasets.load_digits()
    raw = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    examples = Examples(prepare(raw, geometry)[0], bunch.target.astype(np.int64))
    digest = hashlib.sha256(raw.tobytes() + examples.labels.astype(np.uint8).tobytes()).hexdigest()
    return examples, digest


def with_mnist(dataset: Dataset, data: Path) -> Dataset:
    """Return a data set with MNIST's training pictures beside its own, scaled to the same size.

    data: the folder with MNIST's files; its test pictures are left out. Raises what `load_dataset` raises.
    """
    mnist = load_dataset("mnist", data, dataset.geometry)
    names = {f"{EXTRA_PREFIX}{name}": digest for name, digest in mnist.sources.items() if "t10k" not in name}
    return dataclasses.replace(
        dataset, extra=mnist.train, sources=dataset.sources | names, notes=(*dataset.notes, *mnist.notes)
    )


def _table_of_files(data: Path) -> Path | None:
    """Return the CSV with file names and labels: `data` itself, or one of TABLE_NAMES in it."""
    candidates = [data] if data.is_file() else [data / name for name in TABLE_NAMES]
    for path in candidates:
        if path.is_file() and _is_csv(path):
            layout = csv_layout(path)
            if layout.file is not None and layout.label is not None and len(layout.pixels) < 8:
                return path
    return None


def _is_csv(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(".csv")


def _listed(table: Path, skipped: Skipped) -> list[Listed]:
    """Return the pictures that a table of file names lists, by label and path.

    A missing file is counted as skipped. Raises TrainerError if a label is not a digit.
    """
    layout = csv_layout(table)
    files = {path.name: path for path in sorted(table.parent.rglob("*")) if path.is_file()}
    stems = {path.stem: path for path in files.values() if path.suffix.lower() in SUFFIXES}
    listed = []
    with open_text(table) as text:
        for cells in list(csv.reader(text, delimiter=layout.delimiter))[layout.header :]:
            if len(cells) <= max(layout.file or 0, layout.label or 0):
                continue
            name, label = cells[layout.file or 0].strip(), cells[layout.label or 0].strip()
            if not label.isdigit() or int(label) >= CLASSES:
                raise TrainerError(
                    f"{table}: the label of {name} is {label!r}; labels are 0 to {CLASSES - 1}"
                )
            file = table.parent / name
            file = file if file.is_file() else files.get(Path(name).name) or stems.get(name) or file
            if file.is_file():
                listed.append(Listed(file, int(label)))
            else:
                skipped.add(f"listed in {table.name} but not there", name)
    return sorted(listed, key=lambda one: (one.label, one.file))


def _read_arrays(name: str, data: Path, sources: dict[str, str], notes: list[str]) -> list[Raw]:
    """Return the training pictures, and the test pictures if there are some; [] for a folder of images."""
    if data.is_dir():
        sets = find_idx(data)
        if sets:
            chosen = choose_idx(name, data, sets)
            if len(sets) > 1:
                notes.append(f"read {chosen.name or chosen.folder}, one of {len(sets)} data sets in {data}")
            return load_idx(chosen, sources)
        if any(path.suffix.lower() in SUFFIXES for path in data.rglob("*")):
            return []
        files = sorted(path for path in data.iterdir() if _is_csv(path) or path.suffix == ".npz")
    else:
        files = [data]
    if not files:
        return []
    if files[0].suffix == ".npz":
        return read_npz(files[0], sources)
    if not _is_csv(files[0]):
        raise TrainerError(
            f"{data} is not what --data takes: a folder, an .npz or a .csv with labels. "
            "Unpack an archive first"
        )
    return _read_tables(data, files, sources, notes)


def _read_tables(data: Path, files: list[Path], sources: dict[str, str], notes: list[str]) -> list[Raw]:
    """Return the pictures in CSV files: those for tests last; Kaggle's test.csv has no labels."""
    parts: dict[str, Raw] = {}
    for path in files:
        part = "test" if len(files) > 1 and "test" in path.name.lower() else "train"
        layout = csv_layout(path)
        if len(files) > 1 and layout.header and layout.label is None:
            notes.append(f"skipped, no column of labels: {path.name}")
            continue
        if part in parts:
            raise TrainerError(f"{data} holds several CSV files: name one of them with --data")
        parts[part], skipped = read_csv(path, sources)
        notes += skipped
    if "train" not in parts:
        raise TrainerError(f"{data} holds no CSV file with labels for training")
    return [parts[part] for part in ("train", "test") if part in parts]


def _from_arrays(
    name: str,
    parts: list[Raw],
    geometry: Geometry | None,
    split_seed: int,
    sources: dict[str, str],
    notes: list[str],
) -> Dataset:
    """Return the data set of pictures in arrays, turned upright and without blank ones."""
    turn, before, after = upright(*parts[0], serving_model()) if name != "fashion" else (False, 0.0, 0.0)
    if turn:
        notes.append(
            "the pictures have rows and columns exchanged, as in EMNIST's files, and are exchanged back: the "
            f"model that serves gets {after:.0%} right then, {before:.0%} as they are"
        )
    small = parts[0].pictures.shape[1] == DIGITS_GEOMETRY.side
    geometry = geometry or (DIGITS_GEOMETRY if small else MNIST_GEOMETRY)
    examples = []
    for part in parts:
        raw = np.ascontiguousarray(part.pictures.transpose(0, 2, 1)) if turn else part.pictures
        pictures, kept = prepare(raw, geometry)
        if len(kept) < len(raw):
            first = np.setdiff1d(np.arange(len(raw)), kept)[0]
            notes.append(
                f"skipped, blank: {len(raw) - len(kept)} of {len(raw)} pictures, such as number {first}"
            )
        examples.append(Examples(pictures, part.labels[kept]))
    if len(examples) == 1:
        examples = list(hold_out(examples[0], FOLDER_TEST_SHARE, split_seed))
    return Dataset(name, geometry, examples[0], examples[1], sources, tuple(notes))
