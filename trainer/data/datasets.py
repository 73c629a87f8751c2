"""Data sets as pictures that have walked the serving road.

    IDX files | scikit-learn's digits | folder of images -> preprocess -> Dataset (train, test)

Every reader checks what it reads; a file that is wrong ends the command with one line.
"""

import gzip
import hashlib
import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from service.preprocessing.decoding import ImageError
from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY, Geometry
from service.preprocessing.pipeline import preprocess, preprocess_grey
from trainer.errors import TrainerError, UsageError

CLASSES = 10
SPLIT_OFF = ("digits", "folder")  # data sets that bring no test images of their own
IMAGES_MAGIC = 0x00000803  # unsigned bytes, three dimensions
LABELS_MAGIC = 0x00000801  # unsigned bytes, one dimension
MAX_IDX_BYTES = 1 << 30
MIN_FOLDER_IMAGES = 10  # of which one is held out for the test


@dataclass(frozen=True)
class Examples:
    """Prepared pictures, (n, side, side) float32 ink in [0, 1], and labels, (n,) int64 in 0 ... 9."""

    pictures: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Examples":
        """Return the examples at `indices`."""
        return Examples(self.pictures[indices], self.labels[indices])

    def __add__(self, others: "Examples") -> "Examples":
        """Return these examples followed by the others."""
        return Examples(
            np.concatenate((self.pictures, others.pictures)), np.concatenate((self.labels, others.labels))
        )

    @property
    def pixels(self) -> np.ndarray:
        """The pictures as rows, (n, side * side)."""
        return self.pictures.reshape(len(self.pictures), math.prod(self.pictures.shape[1:]))


@dataclass(frozen=True)
class Dataset:
    """Examples to fit and to test on, and where they come from.

    sources: file name -> SHA-256 of the uncompressed content, for the artefact's metadata.
    """

    name: str
    geometry: Geometry
    train: Examples
    test: Examples
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def everything(self) -> Examples:
        """All that a network may learn which need not be measured: not what came as test images."""
        return self.train + self.test if self.name in SPLIT_OFF else self.train


def load_dataset(
    name: str, data: Path | None, geometry: Geometry | None = None, split_seed: int = 0
) -> Dataset:
    """Return the data set called `name`: digits, mnist, fashion or folder.

    data: the folder with the files, not needed for digits. geometry: overrides the data set's own,
    for instance to ask an 8x8 model about MNIST. split_seed: which fifth of digits (a tenth of
    folder) is held out for testing. Raises TrainerError.
    """
    if name == "digits":
        return _load_digits(geometry or DIGITS_GEOMETRY, split_seed)
    if data is None:
        raise UsageError(f"the data set {name} needs --data DIR, the folder with its files")
    if name == "folder":
        return _load_folder(data, geometry or MNIST_GEOMETRY, split_seed)
    return _load_idx_pairs(name, data, geometry or MNIST_GEOMETRY)


def _load_digits(geometry: Geometry, split_seed: int) -> Dataset:
    from sklearn.datasets import load_digits  # slow to import; needed here only

    bunch = load_digits()
    raw = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    examples = Examples(prepare(raw, geometry), bunch.target.astype(np.int64))
    train, test = hold_out(examples, 0.2, split_seed)
    digest = hashlib.sha256(raw.tobytes() + examples.labels.astype(np.uint8).tobytes()).hexdigest()
    return Dataset("digits", geometry, train, test, {"sklearn.datasets.load_digits": digest})


def _load_idx_pairs(name: str, data: Path, geometry: Geometry) -> Dataset:
    sources: dict[str, str] = {}
    parts: list[Examples] = []
    for prefix in ("train", "t10k"):
        raw = read_idx(_find(data, f"{prefix}-images-idx3-ubyte"), IMAGES_MAGIC, sources)
        labels = read_idx(_find(data, f"{prefix}-labels-idx1-ubyte"), LABELS_MAGIC, sources)
        if len(raw) != len(labels):
            raise TrainerError(
                f"{data}: {len(raw)} {prefix} images but {len(labels)} labels. Fetch the files again"
            )
        if labels.max(initial=0) >= CLASSES:
            raise TrainerError(f"{data}: a {prefix} label is {labels.max()}; labels are 0 to {CLASSES - 1}")
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
    """Return the array of an IDX file, gzip or not: uint8, of as many dimensions as `magic` says.

    sources: gets the SHA-256 of the uncompressed content. Raises TrainerError for anything but a
    complete file of this kind.
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
        raise TrainerError(f"{path} is no IDX file of this kind: magic 0x{found:08x}, expected 0x{magic:08x}")
    shape = tuple(int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions))
    if math.prod(shape) != len(content) - header:
        raise TrainerError(
            f"{path} declares {math.prod(shape)} bytes of shape {shape} but holds {len(content) - header}. "
            "Fetch it again"
        )
    if 0 in shape:
        raise TrainerError(f"{path} holds nothing: its shape is {shape}. Fetch it again")
    if sources is not None:
        sources[path.name.removesuffix(".gz")] = hashlib.sha256(content).hexdigest()
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _load_folder(data: Path, geometry: Geometry, split_seed: int) -> Dataset:
    """Read `data`/<label>/<any name> and `data`/<label>_<any name>, preprocessed as uploads would be."""
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
            raise TrainerError(f"{file}: {str(error).rstrip('.')}. Mend or remove the file") from error
        digest.update(content)
    pictures = np.stack(pixels).reshape(-1, geometry.side, geometry.side)
    examples = Examples(pictures, np.array([label for _, label in files]))
    train, test = hold_out(examples, 0.1, split_seed)
    return Dataset("folder", geometry, train, test, {f"{len(files)} files": digest.hexdigest()})


def prepare(raw: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Return (n, side, side) float32 ink of raw grey pictures, (n, height, width) uint8.

    Raises TrainerError for a picture without ink.
    """
    pixels = np.empty((len(raw), geometry.side**2), np.float32)

    def one(index: int) -> None:
        try:
            pixels[index] = preprocess_grey(raw[index], geometry)
        except ImageError as error:
            raise TrainerError(f"image {index} of the data: {str(error).rstrip('.')}. Remove it") from error

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(len(raw))))  # the list brings out what a thread raised
    return pixels.reshape(-1, geometry.side, geometry.side)


def hold_out(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Return (the rest, the held-out share) of a random permutation drawn from `seed`."""
    order = np.random.default_rng(seed).permutation(len(examples))
    held = round(share * len(examples))
    return examples.take(order[held:]), examples.take(order[:held])
