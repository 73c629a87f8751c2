"""Pixels in CSV, NPZ and IDX files: each layout is read with its own labels, or refused with one line."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.trainer.data.pages import COUNT, COUNTS, LABELS, PAGES, counts_of
from tests.trainer.quick import idx_bytes
from trainer.data import load_dataset
from trainer.data.idx import IMAGES_MAGIC, LABELS_MAGIC
from trainer.errors import TrainerError


def write_csv(path: Path, rows: list[list], header: list[str] | None = None, delimiter: str = ",") -> Path:
    text = "\n".join(delimiter.join(map(str, row)) for row in [*([header] if header else []), *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode("utf-8-sig"))
    return path


FLAT = PAGES.reshape(COUNT, -1)


LABEL_FIRST = np.column_stack((LABELS, FLAT)).tolist()


NAMES = [f"pixel{index}" for index in range(784)]


@pytest.mark.parametrize("name", ["train.csv", "train.csv.gz"])
@pytest.mark.parametrize("dataset", ["mnist", "folder"])
def test_kaggles_csv_is_read(name: str, dataset: str, tmp_path: Path) -> None:
    path = write_csv(tmp_path / name, LABEL_FIRST, ["label", *NAMES])
    assert counts_of(dataset, path) == COUNTS
    assert counts_of(dataset, tmp_path) == COUNTS


@pytest.mark.parametrize(
    ("rows", "header", "delimiter"),
    [
        (LABEL_FIRST, None, ","),
        (LABEL_FIRST, ["label", *NAMES], ";"),
        (np.column_stack((FLAT, LABELS)).tolist(), [*NAMES, "class"], ","),
        (np.column_stack((np.arange(COUNT), LABEL_FIRST)).tolist(), ["", "label", *NAMES], "\t"),
        (np.column_stack((LABELS, FLAT / 255)).tolist(), ["label", *NAMES], ","),
    ],
    ids=["no_header", "semicolons", "label_last", "index", "shares"],
)
def test_other_csv_is_read(rows: list, header: list[str] | None, delimiter: str, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "data.csv", rows, header, delimiter)
    found, expected = load_dataset("mnist", path), np.bincount(LABELS, minlength=10).tolist()
    assert np.bincount(found.part("all").labels, minlength=10).tolist() == expected
    kaggle = load_dataset("mnist", write_csv(tmp_path / "train.csv", LABEL_FIRST, ["label", *NAMES]))
    assert np.array_equal(found.train.pictures, kaggle.train.pictures)


def test_rows_of_64_pixels_are_scikit_learns_digits(tmp_path: Path) -> None:
    digits = load_digits()
    rows = np.column_stack((digits.data, digits.target)).astype(int).tolist()  # as UCI's optdigits.tes
    found = load_dataset("folder", write_csv(tmp_path / "optdigits.tes.csv", rows))
    bundled = load_dataset("digits", None)
    assert found.geometry == bundled.geometry
    sums = [np.sort(one.part("all").pixels.sum(axis=1)) for one in (found, bundled)]
    assert np.array_equal(*sums)


def test_broken_row_is_skipped_and_counted(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "train.csv", [*LABEL_FIRST, [3, 0, 0]], ["label", *NAMES])
    dataset = load_dataset("mnist", path)
    assert len(dataset.part("all")) == COUNT
    assert dataset.notes == ("skipped, not a row of numbers: 1 rows of train.csv",)


def test_csv_for_tests_is_read_beside_that_for_training(tmp_path: Path) -> None:
    write_csv(tmp_path / "mnist_train.csv", LABEL_FIRST[:40], ["label", *NAMES])
    write_csv(tmp_path / "mnist_test.csv", LABEL_FIRST[40:], ["label", *NAMES])
    dataset = load_dataset("mnist", tmp_path)
    assert (len(dataset.train), len(dataset.test)) == (40, 20)


def test_kaggles_test_file_has_no_labels(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", LABEL_FIRST, ["label", *NAMES])
    path = write_csv(tmp_path / "test.csv", FLAT.tolist(), NAMES)
    dataset = load_dataset("mnist", tmp_path)
    assert dataset.notes == ("skipped, no column of labels: test.csv",)
    with pytest.raises(TrainerError, match="784 columns of pixels and no column of labels"):
        load_dataset("mnist", path)


@pytest.mark.parametrize(
    ("rows", "header", "complaint"),
    [
        ([[11, *row[1:]] for row in LABEL_FIRST], ["label", *NAMES], r"a label is 11\.0; labels are 0 to 9"),
        ([row[:700] for row in LABEL_FIRST], ["label", *NAMES[:699]], "699 columns of pixels and a column"),
        ([], ["label", *NAMES], "holds no row of numbers"),
        ([[*row[:-1], 3] if n else [*row[:-1], 4] for n, row in enumerate(LABEL_FIRST)], None, "as well as"),
        ([[row[0], *([900] * 784)] for row in LABEL_FIRST], ["label", *NAMES], "pixels are from 900 to 900"),
    ],
    ids=["label_11", "columns", "empty", "two_readings", "range"],
)
def test_wrong_csv_is_one_line(rows: list, header: list[str] | None, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=complaint) as caught:
        load_dataset("mnist", write_csv(tmp_path / "train.csv", rows, header))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (784,)])
def test_kerass_npz_is_read(shape: tuple[int, ...], tmp_path: Path) -> None:
    parts = {"x_train": PAGES[:40], "x_test": PAGES[40:]}
    arrays = {name: array.reshape(-1, *shape) for name, array in parts.items()}
    np.savez(tmp_path / "mnist.npz", **arrays, y_train=LABELS[:40], y_test=LABELS[40:])
    dataset = load_dataset("mnist", tmp_path / "mnist.npz")
    assert (len(dataset.train), len(dataset.test)) == (40, 20)
    assert counts_of("mnist", tmp_path) == COUNTS


def test_npz_of_other_arrays_names_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", weights=PAGES)
    with pytest.raises(TrainerError, match=r"data\.npz holds weights; x_train and y_train"):
        load_dataset("mnist", tmp_path / "data.npz")


def write_idx(folder: Path, name: str, pages: np.ndarray = PAGES, test: str = "t10k") -> Path:
    """Write four IDX files; name has a place for "train-images" and for the kind, such as idx3."""
    for part, chosen in (("train", slice(0, 40)), (test, slice(40, None))):
        for what, array, magic, kind in (
            ("images", pages, IMAGES_MAGIC, "idx3"),
            ("labels", LABELS, LABELS_MAGIC, "idx1"),
        ):
            path = folder / name.format(f"{part}-{what}", kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            content = idx_bytes(array[chosen], magic)
            path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return folder


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("{}-{}-ubyte", "t10k"),
        ("{}-{}-ubyte.gz", "t10k"),
        ("{}.{}-ubyte", "t10k"),
        ("MNIST/raw/{}-{}-ubyte", "t10k"),
        ("{0}.{1}-ubyte/{0}.{1}-ubyte", "t10k"),
        ("gzip/emnist-digits-{}-{}-ubyte.gz", "test"),
    ],
)
@pytest.mark.parametrize("dataset", ["mnist", "folder"])
def test_idx_names_are_recognized(name: str, test: str, dataset: str, tmp_path: Path) -> None:
    found = load_dataset(dataset, write_idx(tmp_path, name, test=test))
    assert (len(found.train), len(found.test)) == (40, 20)
    assert found.notes == ()


def test_exchanged_rows_and_columns_are_found_and_said(tmp_path: Path) -> None:
    upright = load_dataset("mnist", write_idx(tmp_path / "mnist", "{}-{}-ubyte"))
    turned = PAGES.transpose(0, 2, 1)
    folder = write_idx(tmp_path / "emnist", "emnist-digits-{}-{}-ubyte", np.ascontiguousarray(turned), "test")
    dataset = load_dataset("mnist", folder)
    assert np.array_equal(dataset.train.pictures, upright.train.pictures)
    assert np.array_equal(dataset.test.pictures, upright.test.pictures)
    (note,) = dataset.notes
    assert (
        "rows and columns exchanged, as in EMNIST's files, and are exchanged back: the model that serves gets"
        in note
    )


def test_digits_are_preferred_among_emnists_sets(tmp_path: Path) -> None:
    for name in ("digits", "mnist", "letters"):
        write_idx(tmp_path, f"emnist-{name}-{{}}-{{}}-ubyte.gz", test="test")
    assert any(
        "read emnist-digits, one of 3 data sets" in note for note in load_dataset("mnist", tmp_path).notes
    )


def test_fashion_is_told_from_mnist(tmp_path: Path) -> None:
    tmp_path = tmp_path / "data"
    write_idx(tmp_path, "MNIST/raw/{}-{}-ubyte")
    write_idx(tmp_path, "FashionMNIST/raw/{}-{}-ubyte", 255 - PAGES)
    fashion, mnist = load_dataset("fashion", tmp_path), load_dataset("mnist", tmp_path)
    assert fashion.sources != mnist.sources


def test_several_data_sets_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_idx(tmp_path, f"{name}/{{}}-{{}}-ubyte")
    with pytest.raises(TrainerError, match=r"holds several data sets: .*one, .*two\. Name the folder of one"):
        load_dataset("mnist", tmp_path)
