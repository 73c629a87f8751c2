"""IDX files, the format of MNIST and its relatives.

    NAME-images-idx3-ubyte[.gz], NAME-labels-idx1-ubyte[.gz] -> checked arrays -> Raw

The format: a magic number, one 32-bit size for each dimension, then the bytes (yann.lecun.com/exdb/mnist).
"""

import gzip
import hashlib
import math
import re
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer.data.arrays import Raw
from trainer.data.examples import CLASSES
from trainer.errors import TrainerError

IMAGES_MAGIC = 0x00000803  # unsigned bytes, three dimensions
LABELS_MAGIC = 0x00000801  # unsigned bytes, one dimension
MAX_IDX_BYTES = 1 << 30
FILE_NAME = re.compile(
    r"(?P<set>.*?)(?P<part>train|t10k|test)[-_](?P<what>images|labels)[-._]idx[13][-._]ubyte(\.gz)?"
)


class IdxSet(NamedTuple):
    """One data set among IDX files: its name, such as emnist-digits, and its files by part and content.

    files: ("train" | "test", "images" | "labels") -> path.
    """

    name: str
    folder: Path
    files: dict[tuple[str, str], Path]


def find_idx(data: Path) -> list[IdxSet]:
    """Return the data sets in the IDX files of a folder or below it.

    Names may have dots or dashes, end in .gz or not, and begin with the name of a set: MNIST's own,
    torchvision's MNIST/raw, EMNIST's emnist-digits-train-images-idx3-ubyte.
    """
    sets: dict[tuple[Path, str], IdxSet] = {}
    for path in sorted(data.rglob("*")):
        found = FILE_NAME.fullmatch(path.name)
        if not found or not path.is_file():
            continue
        # Kaggle's copy has each file in a folder of the same name.
        folder = path.parent.parent if path.parent.name == path.name else path.parent
        one = sets.setdefault((folder, found["set"]), IdxSet(found["set"].rstrip("-_"), folder, {}))
        part = "train" if found["part"] == "train" else "test"
        one.files.setdefault((part, found["what"]), path)
    return list(sets.values())


def choose_idx(name: str, data: Path, sets: list[IdxSet]) -> IdxSet:
    """Return the data set called `name` among several; raise TrainerError if more than one fits."""
    within = data.parent  # a name above the data says nothing about them
    fashion = [one for one in sets if "fashion" in f"{one.folder.relative_to(within)}{one.name}".lower()]
    fitting = fashion if name == "fashion" else [one for one in sets if one not in fashion]
    fitting = fitting or sets
    for preferred in ("emnist-digits", "emnist-mnist"):
        if len(fitting) > 1 and any(one.name == preferred for one in fitting):
            fitting = [one for one in fitting if one.name == preferred]
    if len(fitting) > 1:
        names = ", ".join(sorted(str(one.folder / one.name) for one in fitting))
        raise TrainerError(f"{data} holds several data sets: {names}. Name the folder of one of them")
    return fitting[0]


def load_idx(one: IdxSet, sources: dict[str, str]) -> list[Raw]:
    """Return the training pictures in IDX files, and the test pictures if there are some.

    sources: receives the SHA-256 of each file's content. Raises TrainerError if a file is missing or
    broken, if images and labels differ in number, or if a label is not a digit.
    """
    parts: list[Raw] = []
    for part in ("train", "test"):
        if part == "test" and not any(key[0] == "test" for key in one.files):
            continue
        prefix = f"{one.name}-{part}" if one.name else {"train": "train", "test": "t10k"}[part]
        images, labels = (_path(one, part, what, prefix) for what in ("images", "labels"))
        raw = read_idx(images, IMAGES_MAGIC, sources)
        digits = read_idx(labels, LABELS_MAGIC, sources)
        if len(raw) != len(digits):
            raise TrainerError(
                f"{one.folder}: {len(raw)} {prefix} images but {len(digits)} labels. Fetch the files again"
            )
        if digits.max(initial=0) >= CLASSES:
            raise TrainerError(
                f"{one.folder}: a {prefix} label is {digits.max()}; labels are 0 to {CLASSES - 1}"
            )
        parts.append(Raw(raw, digits.astype(np.int64)))
    return parts


def _path(one: IdxSet, part: str, what: str, prefix: str) -> Path:
    path = one.files.get((part, what))
    if path is None:
        name = f"{prefix}-{what}-idx{3 if what == 'images' else 1}-ubyte"
        raise TrainerError(f"{one.folder} holds neither {name} nor {name}.gz. {fetch_hint(one.folder)}")
    return path


def fetch_hint(folder: Path) -> str:
    """Return how to get MNIST's files into a folder."""
    return f"Get the files with: python -m trainer fetch mnist --to {folder}"


def read_idx(path: Path, magic: int, sources: dict[str, str] | None = None) -> np.ndarray:
    """Return the array of an IDX file, gzip or not: uint8, with the number of dimensions in `magic`.

    sources: receives the SHA-256 of the uncompressed content. Raises TrainerError unless the file is
    complete, not empty and of this kind.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            content = file.read(MAX_IDX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise TrainerError(f"{path} cannot be read: {error}. Fetch it again") from error
    dimensions = magic & 0xFF
    header = 4 + 4 * dimensions
    found = int.from_bytes(content[:4], "big")
    if found != magic or len(content) < header:
        raise TrainerError(
            f"{path} is not an IDX file of this kind: magic 0x{found:08x}, expected 0x{magic:08x}"
        )
    shape = tuple(int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions))
    if math.prod(shape) != len(content) - header:
        raise TrainerError(
            f"{path} declares {math.prod(shape)} bytes of shape {shape} but holds {len(content) - header}. "
            "Fetch it again"
        )
    if 0 in shape:
        raise TrainerError(f"{path} is empty: its shape is {shape}. Fetch it again")
    if sources is not None:
        sources[path.name.removesuffix(".gz")] = hashlib.sha256(content).hexdigest()
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
