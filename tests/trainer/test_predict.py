"""`predict` answers for files what the service answers over HTTP."""

import json
from pathlib import Path

import pytest

from tests.drawing import digit_png
from tests.serving import MODELS
from trainer.cli import main

Output = pytest.CaptureFixture[str]
MODEL = str(MODELS / "mnist-28x28.npz")


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{digit}.png" for digit in (3, 7)]
    for path in paths:
        path.write_bytes(digit_png(int(path.stem)))
    return [str(path) for path in paths]


def test_each_image_is_one_line(images: list[str], capsys: Output) -> None:
    assert main(["predict", MODEL, *images]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{images[0]}: 3 (")
    assert second.startswith(f"{images[1]}: 7 (")


def test_json_has_the_fields_of_the_service(images: list[str], capsys: Output) -> None:
    assert main(["predict", MODEL, *images, "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["digit"] for answer in answers] == [3, 7]
    for answer in answers:
        assert set(answer) == {"file", "digit", "confidence", "probabilities", "accepted", "model"}
        assert sum(answer["probabilities"]) == pytest.approx(1)
        assert answer["confidence"] == max(answer["probabilities"])
        assert answer["model"]["name"] == "mnist-28x28"


def test_broken_image_leaves_the_others_answered(images: list[str], tmp_path: Path, capsys: Output) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    assert main(["predict", MODEL, str(broken), str(tmp_path / "gone.png"), *images]) == 1
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0].startswith(f"{broken}: error: ")
    assert lines[1].endswith("gone.png: error: It cannot be read: No such file or directory.")
    assert lines[3].startswith(f"{images[1]}: 7 ")
    assert output.err == "trainer: 2 of 4 images could not be answered, see above.\n"


def test_refused_picture_names_the_reason(tmp_path: Path, capsys: Output) -> None:
    from PIL import Image, ImageDraw

    from tests.drawing import encode

    picture = Image.new("L", (200, 200), 255)
    for row in range(20, 200, 30):
        ImageDraw.Draw(picture).line((10, row, 190, row), 0, 6)
        ImageDraw.Draw(picture).line((row, 10, row, 190), 0, 6)
    (tmp_path / "grid.png").write_bytes(encode(picture))
    assert main(["predict", MODEL, str(tmp_path / "grid.png"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["accepted"] is False
    assert answer["reason"] in ("not_a_digit", "unsure")


def test_missing_model_is_one_line(images: list[str], capsys: Output) -> None:
    assert main(["predict", "nothing.npz", *images]) == 1
    assert capsys.readouterr().err == "trainer: nothing.npz: it cannot be read: No such file or directory.\n"
