"""What preprocessing costs, beside Pillow's decoding of the same file; and what an explanation adds.

    python -m tests.bench_preprocessing

    drawn files -> in turns: only Pillow (JPEG at reduced size, too), `preprocess` -> median times

The difference is the cost of finding, cutting out and centering the digit. Everything runs in one thread.
"""

import io
import os
import statistics
import time
from collections.abc import Callable

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the service has it; counts only before NumPy is loaded

import numpy as np
from PIL import Image

from service.config import PROJECT
from service.model.artifact import load
from service.model.classifier import Classifier
from service.model.explanation import explain
from service.preprocessing.grey import WORKING_SIDE
from service.preprocessing.normalization import MNIST_GEOMETRY
from service.preprocessing.pipeline import preprocess
from tests.drawing import draw_digit, encode

DIGIT = 5
SECONDS = 2.0  # for each file
MIN_ROUNDS = 20


def pictures() -> dict[str, bytes]:
    """Return the files, by what they are."""
    normal = preprocess(encode(draw_digit(DIGIT)), MNIST_GEOMETRY).reshape(28, 28)
    return {
        "28x28 PNG, in MNIST's form": encode(Image.fromarray(np.rint(normal * 255).astype(np.uint8))),
        "28x28 PNG, drawn": encode(draw_digit(DIGIT, (28, 28))),
        "28x28 PNG, scanned": encode(photograph(28, 28)),
        "200x200 PNG, drawn": encode(draw_digit(DIGIT)),
        "12 megapixel JPEG": encode(photograph(4000, 3000).convert("RGB"), "JPEG", quality=85),
    }


def photograph(width: int, height: int) -> Image.Image:
    """Return a digit on grainy paper in light that falls off from top to bottom."""
    paper = np.linspace(235, 150, height, dtype=np.float32)[:, None]
    ink = np.asarray(draw_digit(DIGIT, (width, height)), np.float32) / 255
    grain = np.random.default_rng(0).normal(0, 4, (height, width))
    return Image.fromarray((paper * (0.25 + 0.75 * ink) + grain).clip(0, 255).astype(np.uint8))


def decode_alone(data: bytes) -> None:
    """Have Pillow decode a file, JPEG at the reduced size that preprocessing asks for."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (WORKING_SIDE, WORKING_SIDE))
        image.load()


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def medians(data: bytes) -> tuple[float, float]:
    """Return the median seconds of only decoding and of all preprocessing, measured in turns."""
    works = (lambda: decode_alone(data), lambda: preprocess(data, MNIST_GEOMETRY))
    times: tuple[list[float], list[float]] = ([], [])
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline or len(times[0]) < MIN_ROUNDS:
        for work, taken in zip(works, times, strict=True):
            taken.append(seconds(work))
    return statistics.median(times[0]), statistics.median(times[1])


def explanation_seconds() -> float:
    """Return the median seconds that `?explain=true` adds to an answer of the larger shipped model."""
    classifier = Classifier(load(PROJECT / "models/mnist-28x28.npz"))
    pixels = preprocess(encode(draw_digit(DIGIT)), MNIST_GEOMETRY)
    (prediction,) = classifier.classify(pixels[None])
    return statistics.median(
        seconds(lambda: explain(pixels, classifier, prediction, [])) for _ in range(20 * MIN_ROUNDS)
    )


def main() -> None:
    """Print the table."""
    print("| picture | Pillow's decoding | preprocessing in all | beyond decoding |")
    print("|---|---:|---:|---:|")
    for name, data in pictures().items():
        alone, whole = medians(data)
        print(f"| {name} | {alone * 1e6:,.0f} µs | {whole * 1e6:,.0f} µs | {(whole - alone) * 1e6:,.0f} µs |")
    print(f"\n`?explain=true` adds {explanation_seconds() * 1e3:.2f} ms.")


if __name__ == "__main__":
    main()
