"""IDX files, the format of MNIST and its relatives.

    NAME-images-idx3-ubyte[.gz], NAME-labels-idx1-ubyte[.gz] -> checked arrays -> Dataset

The format: a magic number, one 32-bit size for each dimension, then the bytes (yann.lecun.com/exdb/mnist).
"""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np

from service.preprocessing import Geometry
from trainer.data.examples import CLASSES, Dataset, Examples, prepare
from trainer.errors import TrainerError

IMAGES_MAGIC = 0x00000803  # unsigned bytes, three dimensions
LABELS_MAGIC = 0x00000801  # unsigned bytes, one dimension
MAX_IDX_BYTES = 1 << 30


def load_idx(name: str, folder: Path, geometry: Geometry) -> Dataset:
    """Return the data set in the four IDX files of `folder`: train and t10k, images and labels.

    Raises TrainerError if a file is missing or broken, if images and labels differ in number, or if a
    label is not a digit.
    """
    sources: dict[str, str] = {}
    parts: list[Examples] = []
    for prefix in ("train", "t10k"):
        raw = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"), IMAGES_MAGIC, sources)
        labels = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"), LABELS_MAGIC, sources)
        if len(raw) != len(labels):
            raise TrainerError(
                f"{folder}: {len(raw)} {prefix} images but {len(labels)} labels. Fetch the files again"
            )
        if labels.max(initial=0) >= CLASSES:
            raise TrainerError(f"{folder}: a {prefix} label is {labels.max()}; labels are 0 to {CLASSES - 1}")
        parts.append(Examples(prepare(raw, geometry), labels.astype(np.int64)))
    return Dataset(name, geometry, parts[0], parts[1], sources)


def _find(folder: Path, name: str) -> Path:
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise TrainerError(
        f"{folder} holds neither {name} nor {name}.gz. "
        f"Get the files with: python -m trainer fetch mnist --to {folder}"
    )


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
