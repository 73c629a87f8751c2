"""Sixty real digits, for data sets as people have them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from trainer.data import load_dataset

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


COUNT = 60


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Return COUNT pictures of real digits, (n, 28, 28) uint8, and labels, (n,) uint8."""
    digits = load_digits()
    pages = np.zeros((COUNT, 28, 28), np.uint8)
    for page, image in zip(pages, digits.images, strict=False):
        small = Image.fromarray((image / 16 * 255).astype(np.uint8))
        page[4:24, 4:24] = small.resize((20, 20), Image.Resampling.BILINEAR)
    return pages, digits.target[:COUNT].astype(np.uint8)


PAGES, LABELS = pictures()


COUNTS = np.bincount(LABELS, minlength=10).tolist()


def counts_of(name: str, path: Path) -> list[int]:
    return np.bincount(load_dataset(name, path).part("all").labels, minlength=10).tolist()


def write_pictures(folder: Path, layout: Callable[[int, int], str | None]) -> Path:
    for index, (page, label) in enumerate(zip(PAGES, LABELS.tolist(), strict=True)):
        relative = layout(index, label)
        if relative:
            path = folder / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(page).save(path)
    return folder
