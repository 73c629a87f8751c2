"""Pictures in folders and in tables of file names: each layout is read, or refused with one line."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.trainer.data.pages import COUNTS, LABELS, PAGES, WORDS, counts_of, write_pictures
from tests.trainer.data.test_arrays import write_idx
from trainer.data import checked_classes, load_dataset
from trainer.errors import TrainerError


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


@pytest.mark.parametrize("name", ["mnist", "folder", "fashion"])
def test_missing_path_is_told_as_that(name: str, tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="nothing does not exist"):
        load_dataset(name, tmp_path / "nothing")


def test_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(TrainerError, match=r"data\.zip is not what --data takes: .* Unpack an archive"):
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
