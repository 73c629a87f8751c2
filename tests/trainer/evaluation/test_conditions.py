"""Errors under other conditions, refusals of non-digits, and coverage are measured correctly."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.model.artifact import load
from service.model.classifier import Classifier
from tests.drawing import digit_png
from tests.serving import MODELS
from tests.trainer.quick import drawn_examples
from trainer.cli import main
from trainer.evaluation.conditions import CONDITIONS, try_condition
from trainer.evaluation.metrics import coverage_errors, summarize
from trainer.evaluation.refusals import folder_refusals
from trainer.synthetic import KINDS

Output = pytest.CaptureFixture[str]
MNIST_MODEL = MODELS / "mnist-28x28.npz"


def test_surest_answers_are_counted_first() -> None:
    # Surest first: 0.9 right, 0.8 wrong, 0.6 right, 0.5 wrong. Wrong so far: 0, 1 of 2, 1 of 3, 2 of 4.
    probabilities = np.full((4, 10), 0.0)
    for row, (answer, sure) in enumerate([(1, 0.6), (2, 0.9), (3, 0.5), (4, 0.8)]):
        probabilities[row] = (1 - sure) / 9
        probabilities[row, answer] = sure
    labels = np.array([1, 2, 0, 0])
    assert coverage_errors(labels, probabilities) == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])


def test_surest_error_excludes_the_least_certain_hundredth() -> None:
    labels = np.zeros(200, int)
    probabilities = np.full((200, 10), 0.01)
    probabilities[:, 0] = 0.91
    probabilities[:2] = probabilities[:2, ::-1] * 0.5 + 0.05  # wrong and unsure
    probabilities[2] = probabilities[2, ::-1]  # wrong and sure
    assert summarize(labels, probabilities).surest_error == pytest.approx(1 / 198)


@pytest.mark.parametrize("name", CONDITIONS)
def test_shipped_model_reads_digits_under_each_condition(name: str) -> None:
    classifier = Classifier(load(MNIST_MODEL))
    outcome = try_condition(classifier, drawn_examples(40), name, np.random.SeedSequence(0))
    assert outcome.images == 40
    assert outcome.wrong <= 0.2
    assert 0 <= outcome.refused <= 1


def test_conditions_are_the_same_for_the_same_seed() -> None:
    classifier, digits = Classifier(load(MODELS / "digits-8x8.npz")), drawn_examples(20)
    first, again = (
        try_condition(classifier, digits, "pale pencil on grainy paper", np.random.SeedSequence(3))
        for _ in range(2)
    )
    assert first == again


def test_unreadable_pictures_count_as_wrong_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONDITIONS, "erased", lambda picture, rng: Image.new("L", (50, 50), 255))
    outcome = try_condition(
        Classifier(load(MNIST_MODEL)), drawn_examples(10), "erased", np.random.SeedSequence(0)
    )
    assert outcome == (10, 1, 1)


def test_evaluate_lists_the_cost_of_conditions(
    quick_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    for name in list(CONDITIONS)[2:]:
        monkeypatch.delitem(CONDITIONS, name)
    assert main(["evaluate", str(quick_model), "digits", "--distorted"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["each", "of", "359", "pictures", "wrong", "more", "refused"]
    assert lines[3].startswith("  as it is")
    assert "+0.00 points" in lines[3]
    assert lines[4].startswith("  inverted")


def test_evaluate_lists_refusals_by_kind(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.evaluation.refusals.EACH", 4)
    assert main(["evaluate", str(MNIST_MODEL), "non-digits"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[2:26].strip() for line in lines[3:]] == [*KINDS, "together"]
    assert float(lines[-1].split()[-2]) >= 80
    assert main(["evaluate", str(MNIST_MODEL), "non-digits", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["noise"]["images"] == 4


def test_folder_of_non_digits_is_counted_by_folder(tmp_path: Path, capsys: Output) -> None:
    for name in ("digits", "stripes", "blank"):
        (tmp_path / name).mkdir()
    (tmp_path / "digits" / "3.png").write_bytes(digit_png(3))
    stripes = np.tile(np.repeat(np.array([0, 255], np.uint8), 6), (60, 5))
    Image.fromarray(stripes).save(tmp_path / "stripes" / "a.png")
    Image.new("L", (40, 40), 255).save(tmp_path / "blank" / "a.png")
    (tmp_path / "notes.txt").write_text("not an image")
    refusals = folder_refusals(Classifier(load(MNIST_MODEL)), tmp_path)
    assert refusals == {"blank": (1, 1), "digits": (1, 0), "stripes": (1, 1)}
    assert main(["evaluate", str(MNIST_MODEL), "non-digits", "--data", str(tmp_path)]) == 0
    assert "together                       3     66.67 %" in capsys.readouterr().out


def test_pictures_in_one_file_are_counted_by_array(tmp_path: Path, capsys: Output) -> None:
    digit = np.asarray(Image.open(io.BytesIO(digit_png(3))).convert("L"))
    blank, stripes = np.full_like(digit, 255), np.tile(np.uint8([0, 255]), (len(digit), digit.shape[1] // 2))
    np.savez(
        tmp_path / "some.npz", mixed=np.stack((digit, blank)), striped=stripes[None], labels=np.arange(3)
    )
    words = ["evaluate", str(MNIST_MODEL), "non-digits", "--data", str(tmp_path / "some.npz"), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["some, mixed"] == {"images": 2, "refused": 0.5}
    assert found["some, striped"] == {"images": 1, "refused": 1.0}
    assert "some, labels" not in found


def test_file_without_pictures_ends_with_one_line(tmp_path: Path, capsys: Output) -> None:
    np.savez(tmp_path / "labels.npz", labels=np.arange(3))
    (tmp_path / "broken.npz").write_bytes(b"PK")
    for name, complaint in (("labels", "holds no pictures"), ("broken", "a folder or an .npz is expected")):
        words = ["evaluate", str(MNIST_MODEL), "non-digits", "--data", str(tmp_path / f"{name}.npz")]
        assert main(words) == 1
        assert complaint.lower() in capsys.readouterr().err.lower()


def test_folder_without_images_ends_with_one_line(tmp_path: Path, capsys: Output) -> None:
    assert main(["evaluate", str(MNIST_MODEL), "non-digits", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"trainer: {tmp_path} holds no image that the service could read.\n"
