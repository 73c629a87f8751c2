"""Data as people have it: every layout is read with its own labels, or refused with one line."""

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.trainer.quick import idx_bytes
from trainer.data import checked_classes, load_dataset
from trainer.data.idx import IMAGES_MAGIC, LABELS_MAGIC
from trainer.errors import TrainerError

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


@pytest.mark.parametrize(
    "layout",
    [
        lambda index, label: f"{label}/{index}.png",
        lambda index, label: f"{label:02d}/{index}.png",
        lambda index, label: f"{WORDS[label]}/{index}.png",
        lambda index, label: f"{WORDS[label].title()}/{index}.png",
        lambda index, label: f"digit_{label}/{index}.png",
        lambda index, label: f"class {label}/{index}.png",
        lambda index, label: f"{label}/writer{index % 5}/{index}.png",
        lambda index, label: f"writer{index % 5}/{label}/{index}.png",
        lambda index, label: f"{'training' if index < 40 else 'testing'}/{label}/{index}.png",
        lambda index, label: f"data/train/images/{label}/{index}.png",
        lambda index, label: f"{index}_{label}.png",
        lambda index, label: f"{label}_{index:03d}.png",
        lambda index, label: f"scan {index:03d} {WORDS[label]}.png",
        lambda index, label: f"img{index:04d}-label{label}.png",
    ],
    ids=[
        *("plain", "padded", "words", "capitals", "prefixed", "class", "nested", "by_writer", "train_test"),
        *("deep", "index_label", "label_index", "word_in_name", "last_part"),
    ],
)
def test_folder_layout_is_read(layout: Callable[[int, int], str], tmp_path: Path) -> None:
    assert counts_of("folder", write_pictures(tmp_path, layout)) == COUNTS


def test_test_folder_holds_the_test_pictures(tmp_path: Path) -> None:
    write_pictures(tmp_path, lambda index, label: f"{'train' if index < 40 else 'test'}/{label}/{index}.png")
    dataset = load_dataset("folder", tmp_path)
    assert (len(dataset.train), len(dataset.test)) == (40, 20)


def test_reading_of_file_names_is_said(tmp_path: Path) -> None:
    write_pictures(tmp_path, lambda index, label: f"{index}_{label}.png")
    (note,) = load_dataset("folder", tmp_path).notes
    assert note == "labels are the last part of the file names: 0_0.png is a 0"


def test_two_readings_of_file_names_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, lambda index, label: f"{index}_{label}.png" if 1 <= index < 10 else None)
    Image.fromarray(PAGES[0]).save(tmp_path / "0_9.png")
    with pytest.raises(TrainerError) as caught:
        load_dataset("folder", tmp_path)
    assert "0_9.png can be read as a 0 (first part) or as a 9 (last part), and so can all" in str(
        caught.value
    )
    assert "labels.csv" in str(caught.value)


def test_names_without_a_digit_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, lambda index, label: f"scan{index + 100}.png")
    with pytest.raises(TrainerError, match="no place in the file names states the digit in all of them"):
        load_dataset("folder", tmp_path)


def test_folder_within_a_folder_of_another_digit_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, lambda index, label: f"3/{label}/{index}.png")
    with pytest.raises(TrainerError, match="can be read as a 3 or as a 0, by its folders"):
        load_dataset("folder", tmp_path)


def test_folder_of_one_digit_names_the_folder_above(tmp_path: Path) -> None:
    write_pictures(tmp_path / "7", lambda index, label: f"{index}.png")
    with pytest.raises(TrainerError, match="is the folder of one digit: name the folder above it"):
        load_dataset("folder", tmp_path / "7")


@pytest.mark.parametrize("file", ["a{}.png", "images/a{}.png"])
@pytest.mark.parametrize("header", [["file", "label"], ["Digit", "Image"], None])
def test_table_of_file_names_is_read(file: str, header: list[str] | None, tmp_path: Path) -> None:
    write_pictures(tmp_path, lambda index, label: file.format(index))
    order = -1 if header and header[0] == "Digit" else 1
    rows = [[file.format(index), label][::order] for index, label in enumerate(LABELS.tolist())]
    with open(tmp_path / "labels.csv", "w", newline="") as table:
        csv.writer(table).writerows([*([header] if header else []), *rows])
    assert counts_of("folder", tmp_path) == COUNTS
    assert counts_of("folder", tmp_path / "labels.csv") == COUNTS


def test_listed_file_that_is_missing_is_counted(tmp_path: Path) -> None:
    write_pictures(tmp_path, lambda index, label: f"a{index}.png")
    rows = [f"a{index}.png,{label}" for index, label in enumerate(LABELS.tolist())]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows, "gone.png,3"]))
    dataset = load_dataset("folder", tmp_path)
    assert dataset.notes == ("skipped, listed in labels.csv but not there: 1 file, gone.png",)


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
    assert "rows and columns exchanged, as EMNIST's files do: the model that serves names" in note


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


@pytest.mark.parametrize("name", ["mnist", "folder", "fashion"])
def test_missing_path_is_told_as_that(name: str, tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="nothing does not exist"):
        load_dataset(name, tmp_path / "nothing")


def test_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(TrainerError, match=r"data\.zip is none of what --data takes: .* Unpack an archive"):
        load_dataset("mnist", tmp_path / "data.zip")


def test_blank_pictures_are_skipped_and_counted(tmp_path: Path) -> None:
    pages = PAGES.copy()
    pages[[3, 5]] = 0
    dataset = load_dataset("mnist", write_idx(tmp_path, "{}-{}-ubyte", pages))
    assert dataset.notes == ("skipped, blank: 2 of 40 pictures, such as number 3",)
    assert len(dataset.train) == 38


def test_thirty_sevens_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, lambda index, label: f"7/{index}.png" if index < 30 else None)
    with pytest.raises(TrainerError, match="pictures of 1 digit only, 30 of 7; a network that always gives"):
        checked_classes(load_dataset("folder", tmp_path))


def test_missing_digits_are_warned_of(tmp_path: Path) -> None:
    write_pictures(tmp_path, lambda index, label: f"{label}/{index}.png" if label < 4 else None)
    dataset = checked_classes(load_dataset("folder", tmp_path))
    assert dataset.missing == (4, 5, 6, 7, 8, 9)
    assert dataset.warnings[0].startswith("no picture of 4, 5, 6, 7, 8 and 9: the network will take them")


def test_few_pictures_of_a_digit_are_warned_of(tmp_path: Path) -> None:
    write_pictures(tmp_path, lambda index, label: f"{label}/{index}.png")
    (warning,) = checked_classes(load_dataset("folder", tmp_path)).warnings
    assert warning.startswith("fewer than 10 pictures of 0 (8), 1 (6), 2 (7)")
