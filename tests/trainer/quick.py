"""Small data sets, settings and commands for the tests of the trainer."""

import contextlib
import gzip
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from service.preprocessing.normalization import MNIST_GEOMETRY
from tests.drawing import draw_digit
from tests.serving import PROJECT
from trainer.data import Examples
from trainer.data.examples import prepare
from trainer.data.idx import IMAGES_MAGIC, LABELS_MAGIC

# A training of digits that takes about a second and publishes whatever comes out.
QUICK = (
    *("--hidden", "32", "--epochs", "6", "--averaging", "0", "--learning-rate", "0.01", "--batch-size", "32"),
    *("--outliers", "100", "--judge-epochs", "4", "--minimum-accuracy", "0", "--maximum-drop", "1"),
    *("--quiet", "--no-refit", "--no-report"),
)
# The same, for tests that look at its rejector, too.
QUICK_MODEL = (*QUICK, "--judge-epochs", "20")


def drawn_pictures(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return raw pictures, (count, 28, 28) uint8 light on dark, and labels, (count,) uint8."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    pictures = []
    for label in labels:
        left, top = rng.uniform(0.1, 0.3, 2)
        box = (left, top, rng.uniform(0.45, 0.6), rng.uniform(0.55, 0.65))
        image = draw_digit(int(label), (56, 56), box, ink=255, paper=0, pen=rng.uniform(0.1, 0.16))
        pictures.append(np.asarray(image.resize((28, 28))))
    return np.stack(pictures), labels


def drawn_examples(count: int, seed: int = 0) -> Examples:
    """Return examples as the MNIST reader would."""
    raw, labels = drawn_pictures(count, seed)
    return Examples(prepare(raw, MNIST_GEOMETRY)[0], labels.astype(np.int64))


def idx_bytes(array: np.ndarray, magic: int) -> bytes:
    """Return the bytes of an IDX file."""
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def write_mnist(folder: Path, train: int = 120, test: int = 40, compress: bool = True) -> Path:
    """Write the four files of a small MNIST of drawn digits and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count, seed in (("train", train, 1), ("t10k", test, 2)):
        pictures, labels = drawn_pictures(count, seed)
        for name, array, magic in (
            ("images-idx3-ubyte", pictures, IMAGES_MAGIC),
            ("labels-idx1-ubyte", labels, LABELS_MAGIC),
        ):
            content = idx_bytes(array, magic)
            path = folder / f"{prefix}-{name}{'.gz' if compress else ''}"
            path.write_bytes(gzip.compress(content, 1) if compress else content)
    return folder


def trainer_command(*words: object) -> list[str]:
    """Return the command line that a user types, with this interpreter."""
    return [sys.executable, "-m", "trainer", *map(str, words)]


def trainer_environment(**more: str) -> dict[str, str]:
    """Return an environment in which the same command gives the same bytes on any day."""
    return os.environ | {"SOURCE_DATE_EPOCH": "1700000000", "PYTHONPATH": str(PROJECT)} | more


def run_trainer(*words: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run a command as a process of its own and return it with its output as text."""
    return subprocess.run(
        trainer_command(*words),
        check=False,
        cwd=cwd,
        env=trainer_environment(**environment),
        capture_output=True,
        text=True,
    )


@contextlib.contextmanager
def running_trainer(*words: object, cwd: Path) -> Iterator[subprocess.Popen]:
    """Start a command and hand it over; it is killed if it outlives the block."""
    process = subprocess.Popen(
        trainer_command(*words),
        cwd=cwd,
        env=trainer_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
