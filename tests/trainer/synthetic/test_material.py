"""What the rejector learns from is generated once; a file that is kept changes nothing but the time."""

from pathlib import Path

import numpy as np
import pytest

from service.preprocessing import DIGITS_GEOMETRY
from tests.trainer.quick import QUICK
from trainer.cli import main
from trainer.data import Examples, load_digits
from trainer.synthetic import generated, material
from trainer.synthetic.material import Material

DIGITS = load_digits()[0].take(np.arange(50))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "digits"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many outliers were generated, each time."""
    counts: list[int] = []
    generate = material.make_outliers

    def watch(count: int, *more: object) -> np.ndarray:
        counts.append(count)
        return generate(count, *more)

    monkeypatch.setattr(material, "make_outliers", watch)
    return counts


def some(seed: int = 3, pieces: Examples = DIGITS) -> Material:
    return generated(20, DIGITS_GEOMETRY, pieces, seed)


def assert_same(one: Material, other: Material) -> None:
    np.testing.assert_array_equal(one.outliers, other.outliers)
    np.testing.assert_array_equal(one.digits.pictures, other.digits.pictures)
    np.testing.assert_array_equal(one.digits.labels, other.digits.labels)


def test_a_kept_file_gives_the_same_pictures(folder: Path, made: list[int]) -> None:
    first, second = some(), some()
    assert made == [20]
    assert_same(first, second)
    assert first.outliers.shape == (20, 8, 8)
    assert len(first.digits) == 5 + 6
    assert len(list(folder.iterdir())) == 1


def test_other_seeds_pieces_and_code_are_other_files(
    folder: Path, made: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    some()
    some(seed=4)
    some(pieces=DIGITS.take(np.arange(40)))
    (tmp_path / "changed.py").write_text("x = 1")
    monkeypatch.setattr(material, "CODE", (*material.CODE, tmp_path))
    some()
    assert made == [20] * 4


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_broken_file_is_generated_again(folder: Path, made: list[int], content: bytes) -> None:
    first = some()
    (path,) = folder.iterdir()
    path.write_bytes(content)
    assert_same(first, some())
    assert made == [20, 20]


def test_a_folder_that_cannot_be_written_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[int]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert_same(some(), some())
    assert made == [20, 20]


def test_only_a_few_files_are_kept(folder: Path) -> None:
    for seed in range(material.KEPT_FILES + 2):
        some(seed)
    assert len(list(folder.iterdir())) == material.KEPT_FILES


def test_a_refit_learns_from_the_outliers_of_its_twin(folder: Path, made: list[int]) -> None:
    words = [word for word in QUICK if word != "--no-refit"]
    words += ["--refit", "--outliers", "40", "--runs", str(folder.parent / "runs"), "--quiet"]
    assert main(["train", "digits", *words]) == 0
    assert made == [40]
