"""Folders of pictures, labeled by sub-folders, by file names or by a table of file names.

DIR/7/a.png, DIR/training/seven/b.jpg | DIR/7_a.png | DIR/labels.csv -> listed -> preprocessed like uploads

Files that are not images and pictures that are broken or blank are skipped and counted.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from service.model.answering import answer_image
from service.model.classifier import Classifier
from service.preprocessing import (
    BlankImageError,
    BrokenImageError,
    EmptyImageError,
    Geometry,
    ImageError,
    UnsupportedFormatError,
    preprocess,
)
from trainer.data.examples import Dataset, Examples, hold_out
from trainer.data.labels import folder_label, labels_of_folders, labels_of_names
from trainer.errors import TrainerError

MIN_FOLDER_IMAGES = 10  # one of them is held out for the test
FOLDER_TEST_SHARE = 0.1
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
TEST_FOLDERS = {"test", "testing", "val", "valid", "validation"}
TRAIN_FOLDERS = {"train", "training"}


class Listed(NamedTuple):
    """A picture's file and its label."""

    file: Path
    label: int


@dataclass
class Skipped:
    """Files that were left out: reason -> their paths, relative to the folder with the data.

    remarks: other remarks about the folder.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def add(self, reason: str, path: object) -> None:
        """Count a file."""
        self.files.setdefault(reason, []).append(str(path))

    def notes(self) -> list[str]:
        """Return the remarks, and for each reason the number of files and the first of them."""
        lines = list(self.remarks)
        for reason, paths in self.files.items():
            number = f"{len(paths)} files, such as" if len(paths) > 1 else "1 file,"
            lines.append(f"skipped, {reason}: {number} {paths[0]}")
        return lines


def picture_files(folder: Path, skipped: Skipped) -> list[Path]:
    """Return the image files below a folder; hidden files are left out, others counted as skipped."""
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith((".", "__MACOSX")) for part in relative.parts)
        if hidden or not path.is_file():
            continue
        if is_picture(path):
            found.append(path)
        else:
            skipped.add("not an image", relative)
    return found


def is_picture(path: Path) -> bool:
    """Return whether a file's name or its first bytes are those of an image."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with open(path, "rb") as file:
            return file.read(4).startswith(SIGNATURES)
    except OSError:
        return False


def list_folder(folder: Path, skipped: Skipped) -> list[Listed]:
    """Return the pictures below a folder with their labels, by label and path.

    Raises TrainerError if there are too few, or if neither folders nor file names state the labels.
    """
    files = picture_files(folder, skipped)
    relative = [file.relative_to(folder) for file in files]
    by_folder = labels_of_folders(relative)
    if by_folder is None:
        if folder_label(folder.name) is not None:
            raise TrainerError(f"{folder} is the folder of one digit: name the folder above it")
        _refuse_few(folder, files)
        named, where = labels_of_names(relative)
        skipped.remarks.append(f"labels are the {where}")
        by_folder = list(named)
    listed = []
    for file, label in zip(files, by_folder, strict=True):
        if label is None:
            skipped.add("outside the folders of the digits", file.relative_to(folder))
        else:
            listed.append(Listed(file, label))
    return sorted(listed, key=lambda one: (one.label, one.file))


def load_folder(
    listed: Sequence[Listed],
    folder: Path,
    geometry: Geometry,
    split_seed: int,
    skipped: Skipped,
    classifier: Classifier | None = None,
) -> Dataset:
    """Return the data set of listed pictures, preprocessed like uploads.

    classifier: chooses among several readings of a picture, if it has the same geometry; by default
    the first reading counts.

    Folders called train and test, or training and testing, decide the test pictures; else a tenth is held
    out. Raises TrainerError if fewer than MIN_FOLDER_IMAGES can be used.
    """
    digest = hashlib.sha256()
    pixels: list[np.ndarray] = []
    used: list[Listed] = []
    with ThreadPoolExecutor(2) as pool:
        reads = pool.map(lambda one: _read(one.file, geometry, classifier), listed)
        for one, read in zip(listed, reads, strict=True):
            if isinstance(read, str):
                skipped.add(read, one.file.relative_to(folder))
                continue
            content, picture = read
            digest.update(content)
            pixels.append(picture)
            used.append(one)
    _refuse_few(folder, [one.file for one in used], skipped)
    pictures = np.stack(pixels).reshape(-1, geometry.side, geometry.side)
    examples = Examples(pictures, np.array([one.label for one in used]))
    tested = _test_part([one.file.relative_to(folder) for one in used])
    if tested is None:
        train, test = hold_out(examples, FOLDER_TEST_SHARE, split_seed)
    else:
        train, test = examples.take(np.flatnonzero(~tested)), examples.take(np.flatnonzero(tested))
    sources = {f"{len(used)} files": digest.hexdigest()}
    return Dataset("folder", geometry, train, test, sources, tuple(skipped.notes()))


def _read(file: Path, geometry: Geometry, classifier: Classifier | None) -> tuple[bytes, np.ndarray] | str:
    """Return a file's content and pixels, or the reason to skip it."""
    try:
        content = file.read_bytes()
        return content, _pixels(content, geometry, classifier)
    except (UnsupportedFormatError, EmptyImageError):
        return "not an image"
    except BlankImageError:
        return "blank"
    except BrokenImageError:
        return "broken or truncated"
    except ImageError as error:  # for instance too many pixels
        return str(error).rstrip(".")
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _pixels(content: bytes, geometry: Geometry, classifier: Classifier | None) -> np.ndarray:
    """Return the pixels, (side * side,), of an image file; raises ImageError."""
    if classifier and classifier.artifact.geometry == geometry:
        return answer_image(classifier, content).reading.pixels
    return preprocess(content, geometry)


def _test_part(paths: Sequence[Path]) -> np.ndarray | None:
    """Return which pictures are below a folder for tests, (n,) bool; None without such a division."""
    folders = [{part.lower() for part in path.parts[:-1]} for path in paths]
    tested = np.array([bool(names & TEST_FOLDERS) for names in folders])
    trained = np.array([bool(names & TRAIN_FOLDERS) for names in folders])
    divided = tested.any() and trained.any() and (tested ^ trained).all()
    return tested if divided else None


def _refuse_few(folder: Path, files: Sequence[Path], skipped: Skipped | None = None) -> None:
    if len(files) < MIN_FOLDER_IMAGES:
        left_out = "".join(f"; {note}" for note in skipped.notes()) if skipped else ""
        raise TrainerError(
            f"{folder} holds {len(files)} images in folders named 0 ... 9, such as {folder / '7' / 'a.png'}, "
            f"or with names such as 7_a.png; at least {MIN_FOLDER_IMAGES} are needed, for training, "
            f"validation and test{left_out}"
        )
