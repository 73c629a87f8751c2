"""Whole numbers are composed as their family says, and counted as read whole, wrong or doubtful."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.model.artifact import load
from service.model.classifier import Classifier, Prediction
from service.reading import Digit
from tests.drawing import encode
from tests.service.reading.pages import Page
from tests.serving import MODELS
from tests.trainer.quick import drawn_examples
from trainer.cli import main
from trainer.evaluation.numbers import composed_readings, folder_readings, is_read, shares_of
from trainer.synthetic import FAMILIES, compose_number

MNIST_MODEL = MODELS / "mnist-28x28.npz"
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load(MNIST_MODEL), "mnist-28x28")


def digits(text: str, refused: str = "") -> list[list[Digit]]:
    """Return a reading of one row; digits of `refused` are not accepted."""
    row = [
        Digit(Prediction(int(one), 0.9, [0.1] * 10, one not in refused, 0.1), (0, 0, 1, 1)) for one in text
    ]
    return [row]


def test_a_reading_is_whole_wrong_or_doubtful() -> None:
    assert is_read("427", digits("427")) is True
    assert is_read("427", digits("4827", refused="8")) is True
    assert is_read("427", digits("421")) is False
    assert is_read("427", digits("427", refused="7")) is None
    assert is_read("427", []) is None
    assert shares_of([True, True, False, None]) == (4, 0.5, 0.25)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_composed_number_is_a_page_of_dark_digits(family: str) -> None:
    examples = drawn_examples(6)
    pages = [
        compose_number(list(examples.pictures), family, np.random.default_rng(seed)) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(pages[0], pages[1])
    assert pages[0].shape != pages[2].shape
    height, width = pages[0].shape
    assert 40 < height < 400
    assert width > 2 * height
    assert pages[0].dtype == np.uint8
    assert np.median(pages[0]) > 80


def test_touching_digits_are_closer_than_those_apart() -> None:
    examples = drawn_examples(6)
    widths = {
        family: np.mean(
            [
                compose_number(list(examples.pictures), family, np.random.default_rng(seed)).shape[1]
                for seed in range(20)
            ]
        )
        for family in ("apart", "touching")
    }
    assert widths["touching"] < widths["apart"] - 20


def test_composed_numbers_are_mostly_read_whole(classifier: Classifier) -> None:
    readings = composed_readings(classifier, drawn_examples(60), each=12, digits=4)
    assert [*readings] == [*FAMILIES]
    assert all(one.numbers == 12 for one in readings.values())
    assert readings["apart"].whole >= 0.75
    assert readings == composed_readings(classifier, drawn_examples(60), each=12, digits=4)


def test_pictures_named_by_their_number_are_measured(
    classifier: Classifier, tmp_path: Path, capsys: Output
) -> None:
    folder = tmp_path / "meters"
    folder.mkdir()
    for name, number in (("427_1.png", "427"), ("81.png", "81"), ("999-wrong.png", "27")):
        (folder / name).write_bytes(encode(Page().write(number).image()))
    (folder / "5_blank.png").write_bytes(encode(Image.new("L", (90, 60), 255)))
    (folder / "no-number.png").write_bytes(encode(Page().write("3").image()))
    (folder / "12_notes.txt").write_text("no picture")
    assert folder_readings(classifier, tmp_path) == {"meters": (4, 0.5, 0.25)}
    command = ["evaluate", str(MNIST_MODEL), "folder", "--data", str(tmp_path), "--read"]
    assert main(command) == 0
    assert "meters                         4       50.00 %     25.00 %     25.00 %" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["meters"]["whole"] == 0.5


def test_folder_without_a_number_ends_with_one_line(tmp_path: Path, capsys: Output) -> None:
    assert main(["evaluate", str(MNIST_MODEL), "folder", "--data", str(tmp_path), "--read"]) == 1
    assert "holds no picture with a number in its name" in capsys.readouterr().err
