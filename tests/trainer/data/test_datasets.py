"""Readers return the content of the files, or one clear line for each kind of wrong file."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY
from tests.drawing import draw_digit, encode
from tests.trainer.quick import drawn_examples, drawn_pictures, idx_bytes, write_mnist
from trainer.data import hold_out, load_dataset
from trainer.data.examples import prepare
from trainer.data.idx import IMAGES_MAGIC, LABELS_MAGIC, read_idx
from trainer.errors import TrainerError, UsageError

PICTURES, LABELS = drawn_pictures(20)
IMAGES = idx_bytes(PICTURES, IMAGES_MAGIC)


@pytest.mark.parametrize("compress", [True, False])
def test_idx_files_are_read_compressed_or_not(tmp_path: Path, compress: bool) -> None:
    dataset = load_dataset("mnist", write_mnist(tmp_path, 30, 20, compress))
    assert dataset.train.pictures.shape == (30, 28, 28)
    assert dataset.train.pictures.dtype == np.float32
    assert dataset.test.labels.tolist() == [*range(10), *range(10)]


def test_checksum_is_that_of_the_uncompressed_content(tmp_path: Path) -> None:
    path = tmp_path / "images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(IMAGES))
    sources: dict[str, str] = {}
    assert np.array_equal(read_idx(path, IMAGES_MAGIC, sources), PICTURES)
    assert sources == {"images-idx3-ubyte": hashlib.sha256(IMAGES).hexdigest()}


@pytest.mark.parametrize(
    ("content", "name", "complaint"),
    [
        (IMAGES[:-1], "images", "holds 15679. Fetch it again"),
        (IMAGES + b"x", "images", "declares 15680 bytes of shape (20, 28, 28)"),
        (idx_bytes(LABELS, LABELS_MAGIC), "images", "magic 0x00000801, expected 0x00000803"),
        (b"<html>404</html>", "images", "magic 0x3c68746d"),
        (IMAGES[:8], "images", "not an IDX file of this kind"),
        (b"", "images", "not an IDX file of this kind"),
        (idx_bytes(PICTURES[:0], IMAGES_MAGIC), "images", "is empty"),
        (idx_bytes(PICTURES[:, :0], IMAGES_MAGIC), "images", "is empty"),
        (gzip.compress(IMAGES, mtime=0)[:-9], "images.gz", "cannot be read"),
        (gzip.compress(IMAGES, mtime=0)[:100], "images.gz", "cannot be read"),
        (IMAGES, "images.gz", "Not a gzipped file"),
        (gzip.compress(IMAGES, mtime=0)[:40] + b"\0" * 40, "images.gz", "cannot be read"),
    ],
)
def test_wrong_idx_file_is_refused(tmp_path: Path, content: bytes, name: str, complaint: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TrainerError) as caught:
        read_idx(path, IMAGES_MAGIC)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.mkdir()
    with pytest.raises(TrainerError, match=r"images cannot be read: .*Is a directory"):
        read_idx(path, IMAGES_MAGIC)


def test_missing_file_names_the_fetch_command(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="python -m trainer fetch mnist --to"):
        load_dataset("mnist", tmp_path)


def test_label_out_of_range_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    labels = np.full(120, 10, np.uint8)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels, LABELS_MAGIC)))
    with pytest.raises(TrainerError, match="a train label is 10; labels are 0 to 9"):
        load_dataset("mnist", tmp_path)


def test_images_and_labels_must_be_equally_many(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(LABELS, LABELS_MAGIC)))
    with pytest.raises(TrainerError, match="40 t10k images but 20 labels"):
        load_dataset("mnist", tmp_path)


def test_blank_picture_is_left_out() -> None:
    raw = PICTURES.copy()
    raw[7] = 0
    pictures, kept = prepare(raw, MNIST_GEOMETRY)
    assert kept.tolist() == [index for index in range(20) if index != 7]
    assert np.array_equal(pictures, prepare(PICTURES, MNIST_GEOMETRY)[0][kept])


def test_digits_are_split_four_to_one() -> None:
    dataset = load_dataset("digits", None)
    assert dataset.train.pictures.shape == (1438, 8, 8)
    assert dataset.test.pictures.shape == (359, 8, 8)
    other = load_dataset("digits", None, split_seed=1)
    assert other.sources == dataset.sources
    assert not np.array_equal(other.test.labels, dataset.test.labels)


def test_digits_can_be_loaded_at_28x28() -> None:
    assert load_dataset("digits", None, MNIST_GEOMETRY).test.pictures.shape == (359, 28, 28)


def test_data_set_of_files_needs_its_folder() -> None:
    with pytest.raises(UsageError, match="needs --data DIR"):
        load_dataset("mnist", None)


def fill_folder(folder: Path, count: int = 2) -> Path:
    for digit in range(10):
        (folder / str(digit)).mkdir(parents=True)
        for number in range(count):
            image = draw_digit(digit, pen=0.08 + 0.02 * number)
            (folder / str(digit) / f"{number}.png").write_bytes(encode(image))
    return folder


def test_folder_of_images_is_preprocessed_like_uploads(tmp_path: Path) -> None:
    dataset = load_dataset("folder", fill_folder(tmp_path), DIGITS_GEOMETRY)
    assert (len(dataset.train), len(dataset.test)) == (18, 2)
    assert dataset.train.pictures.shape[1:] == (8, 8)
    assert dataset.train.pictures.min() == 0


def test_file_names_can_hold_the_label(tmp_path: Path) -> None:
    fill_folder(tmp_path / "folders")
    (tmp_path / "names").mkdir()
    for file in (tmp_path / "folders").glob("*/*"):
        file.rename(tmp_path / "names" / f"{file.parent.name}_by-writer-{'ab'[int(file.stem)]}.png")
    (tmp_path / "names" / "README.md").write_text("no picture")
    dataset = load_dataset("folder", tmp_path / "names", DIGITS_GEOMETRY)
    assert np.bincount(dataset.everything.labels).tolist() == [2] * 10


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("3/bad.png", b"no picture", "skipped, not an image: 1 file, 3/bad.png"),
        ("3/cut.png", encode(draw_digit(3))[:400], "skipped, broken or truncated: 1 file, 3/cut.png"),
        ("3/blank.png", encode(Image.new("L", (40, 40), 200)), "skipped, blank: 1 file, 3/blank.png"),
        ("3/Thumbs.db", b"x", "skipped, not an image: 1 file, 3/Thumbs.db"),
        ("notes.txt", b"x", "skipped, not an image: 1 file, notes.txt"),
        ("other/a.png", encode(draw_digit(3)), "skipped, outside the folders of the digits: 1 file, other/"),
    ],
)
def test_unusable_file_is_skipped_and_counted(tmp_path: Path, name: str, content: bytes, note: str) -> None:
    fill_folder(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    dataset = load_dataset("folder", tmp_path)
    assert len(dataset.everything) == 20
    assert len(dataset.notes) == 1
    assert dataset.notes[0].startswith(note)


def test_unreadable_image_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_folder(tmp_path)
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:  # not by its mode: root reads everything
        if path.parent.name == "0":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    dataset = load_dataset("folder", tmp_path)
    assert dataset.notes == ("skipped, cannot be read (Permission denied): 2 files, such as 0/0.png",)


def test_folder_without_labels_shows_the_expected_layout(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"holds 0 images in folders named 0 ... 9, such as .*7/a\.png"):
        load_dataset("folder", tmp_path)


def test_hold_out_splits_off_the_share() -> None:
    examples = drawn_examples(50)
    rest, held = hold_out(examples, 0.2, seed=3)
    assert (len(rest), len(held)) == (40, 10)
    together = np.concatenate((rest.pixels, held.pixels))
    assert np.array_equal(np.sort(together.sum(axis=1)), np.sort(examples.pixels.sum(axis=1)))
