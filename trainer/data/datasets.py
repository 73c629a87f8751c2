"""Data sets by name, as pictures that went through the serving preprocessing.

    "digits" (scikit-learn) | "mnist", "fashion" (IDX files) | "folder" (image files) -> Dataset (train, test)

Every reader checks what it reads. A wrong file ends the command with one line.
"""

import hashlib
from pathlib import Path

import numpy as np

from service.preprocessing import DIGITS_GEOMETRY, MNIST_GEOMETRY, Geometry, ImageError, preprocess
from trainer.data.examples import CLASSES, Dataset, Examples, hold_out, prepare
from trainer.data.idx import load_idx
from trainer.errors import TrainerError, UsageError

DATASETS = ("digits", "mnist", "fashion", "folder")
MIN_FOLDER_IMAGES = 10  # one of them is held out for the test
DIGITS_TEST_SHARE, FOLDER_TEST_SHARE = 0.2, 0.1


def load_dataset(
    name: str, data: Path | None, geometry: Geometry | None = None, split_seed: int = 0
) -> Dataset:
    """Return the data set called `name`, one of DATASETS.

    data: the folder with the files; digits needs none. geometry: replaces the data set's own, for
    instance to evaluate an 8x8 model on MNIST. split_seed: decides which fifth of digits, or tenth of
    folder, is held out for testing. Raises UsageError without a needed folder, TrainerError for files
    that are missing or wrong.
    """
    if name == "digits":
        return _load_digits(geometry or DIGITS_GEOMETRY, split_seed)
    if data is None:
        raise UsageError(f"the data set {name} needs --data DIR, the folder with its files")
    if name == "folder":
        return _load_folder(data, geometry or MNIST_GEOMETRY, split_seed)
    return load_idx(name, data, geometry or MNIST_GEOMETRY)


def _load_digits(geometry: Geometry, split_seed: int) -> Dataset:
    from sklearn.datasets import load_digits  # slow to import, and only needed here

    bunch = load_digits()
    raw = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    examples = Examples(prepare(raw, geometry), bunch.target.astype(np.int64))
    train, test = hold_out(examples, DIGITS_TEST_SHARE, split_seed)
    digest = hashlib.sha256(raw.tobytes() + examples.labels.astype(np.uint8).tobytes()).hexdigest()
    return Dataset("digits", geometry, train, test, {"sklearn.datasets.load_digits": digest})


def _load_folder(data: Path, geometry: Geometry, split_seed: int) -> Dataset:
    """Read DIR/<label>/<any name> and DIR/<label>_<any name>, preprocessed like uploads."""
    files = [
        (file, label)
        for label in range(CLASSES)
        for file in sorted([*(data / str(label)).glob("*"), *data.glob(f"{label}_*")])
        if file.is_file() and not file.name.startswith(".")
    ]
    if len(files) < MIN_FOLDER_IMAGES:
        raise TrainerError(
            f"{data} holds {len(files)} images in folders named 0 ... 9, such as {data / '7' / 'a.png'}, or "
            f"with names such as 7_a.png; "
            f"at least {MIN_FOLDER_IMAGES} are needed, for training, validation and test"
        )
    digest = hashlib.sha256()
    pixels = []
    for file, _ in files:
        try:
            content = file.read_bytes()
            pixels.append(preprocess(content, geometry))
        except (ImageError, OSError) as error:
            raise TrainerError(f"{file}: {str(error).rstrip('.')}. Fix or remove the file") from error
        digest.update(content)
    pictures = np.stack(pixels).reshape(-1, geometry.side, geometry.side)
    examples = Examples(pictures, np.array([label for _, label in files]))
    train, test = hold_out(examples, FOLDER_TEST_SHARE, split_seed)
    return Dataset("folder", geometry, train, test, {f"{len(files)} files": digest.hexdigest()})
