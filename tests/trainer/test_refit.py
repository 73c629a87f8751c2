"""A network trained on all images ships with the figures of its twin, and says that they are the twin's."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from service.model.artifact import Artifact, load
from tests.training import QUICK, write_mnist
from trainer import run
from trainer.cli import main
from trainer.data.datasets import Examples, load_dataset
from trainer.distillation.committee import Committee, Perceptron
from trainer.errors import UsageError
from trainer.publishing.gate import Gate, held_out_images
from trainer.training.config import TrainingConfig, add_flags, load_config
from trainer.training.loop import Task

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def refit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a second's training, and another one on all images."""
    folder = tmp_path_factory.mktemp("refit")
    words = ["--refit", "--to", str(folder), "--checkpoint", str(folder / "checkpoint.npz")]
    assert main(["train", "digits", *QUICK, *words]) == 0
    assert not list(folder.glob("checkpoint*"))
    return folder / "digits-8x8.npz"


def error_on_all(artifact: Artifact) -> float:
    from service.model.classifier import Classifier

    examples = load_dataset("digits", None).everything
    answers = np.array([one.digit for one in Classifier(artifact).classify(examples.pixels)])
    return float(np.mean(answers != examples.labels))


def test_weights_and_judge_are_its_own_and_all_that_was_measured_is_the_twins(
    refit: Path, quick_model: Path
) -> None:
    model, twin = load(refit), load(quick_model)
    assert not np.array_equal(model.layers[0].weights, twin.layers[0].weights)
    assert not np.array_equal(model.judge[0].weights, twin.judge[0].weights)
    assert model.metadata["metrics"] == twin.metadata["metrics"]
    for name in ("temperature", "min_confidence", "max_novelty"):
        assert model.metadata[name] == twin.metadata[name]
    assert model.metadata["training"]["examples"] == twin.metadata["training"]["examples"] | {"refit": 1797}
    assert error_on_all(model) < error_on_all(twin)


def test_card_and_summary_say_whose_figures_they_are(refit: Path, capsys: Output) -> None:
    card = refit.with_suffix(".md").read_text()
    assert "on 1,797 images of `digits`" in card
    assert "figures for test and validation are those of its twin" in card
    assert "1,294 images only" in card
    assert main(["publish", str(refit), "--to", "elsewhere", "--minimum-accuracy", "0"]) == 0
    assert "of 359 images, its twin's" in capsys.readouterr().out


def test_evaluate_says_that_the_images_were_learnt(refit: Path, quick_model: Path, capsys: Output) -> None:
    assert main(["evaluate", str(refit), "digits"]) == 0
    assert "(learnt in training: how good it is on others, its card says)" in capsys.readouterr().out
    assert main(["evaluate", str(quick_model), "digits"]) == 0
    assert "learnt" not in capsys.readouterr().out


def test_the_gate_does_not_measure_a_network_on_what_it_has_learnt(refit: Path, quick_model: Path) -> None:
    model = load(refit)
    gate = Gate(test_images=held_out_images("digits", None, 0))
    assert gate.accuracy(model) == model.metadata["metrics"]["test"]["accuracy"]
    assert gate.measures(load(quick_model))


def test_either_kind_may_follow_the_other(refit: Path, quick_model: Path) -> None:
    for file in (quick_model, refit, quick_model):
        assert main(["publish", str(file), "--to", "served", "--minimum-accuracy", "0"]) == 0
        assert load(Path("served/digits-8x8.npz")).sha256 == load(file).sha256


def test_the_judge_is_fitted_anew_with_the_limit_of_the_twin(refit: Path, capsys: Output) -> None:
    words = ["judge", str(refit), "digits", "--to", "judged", "--minimum-accuracy", "0"]
    assert main(words) == 0
    assert Path("judged/digits-8x8.npz").read_bytes() == refit.read_bytes()
    assert main([*words, "--outliers", "50"]) == 2
    assert "Train it again: python -m trainer train digits" in capsys.readouterr().err


def test_test_images_that_come_with_a_data_set_are_never_learnt(tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    assert len(load_dataset("mnist", data).everything) == 120
    words = ["train", "mnist", "--data", str(data), *QUICK, "--hidden", "8", "--epochs", "1", "--name", "x"]
    assert main([*words, "--refit"]) == 0
    assert main([*words, "--to", "twin"]) == 0
    model, twin = load(Path("models/x.npz")).metadata, load(Path("twin/x.npz")).metadata
    assert model["training"]["examples"]["refit"] == 120
    assert model["metrics"]["validation"] == twin["metrics"]["validation"]
    assert model["metrics"]["test"] != twin["metrics"]["test"]  # the network itself was measured on them
    assert "The\nfigures for validation are" in Path("models/x.md").read_text()


def test_teachers_are_asked_anew_about_all_images(tmp_path: Path, quick_model: Path) -> None:
    words = ["distill", "digits", "--teachers", str(quick_model.parent), *QUICK, "--views", "1", "--refit"]
    assert main([*words, "--epochs", "1"]) == 0
    committee = Committee({"teacher": Perceptron(load(quick_model))})
    two = load_dataset("digits", None).test.pixels[:2]
    before = committee.remembered((0, 0), two[:1], 1)
    committee.forget()
    assert not np.array_equal(committee.remembered((0, 0), two[1:], 1), before)


def test_patience_has_nothing_to_judge_by(capsys: Output) -> None:
    assert main(["train", "digits", *QUICK, "--refit", "--patience", "3"]) == 2
    assert "set --patience 0" in capsys.readouterr().err


def test_the_recipe_of_the_shipped_model_refits_unless_told_otherwise(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    assert load_config("digits-8x8", parser.parse_args([])).refit is True
    assert load_config("digits-8x8", parser.parse_args(["--no-refit"])).refit is False
    (tmp_path / "some.toml").write_text("[training]\nrefit = 1\n")
    with pytest.raises(UsageError, match="refit is 1; a value of type bool is expected"):
        load_config(str(tmp_path / "some.toml"), parser.parse_args([]))


def test_cross_validation_learns_four_fifths_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = []

    def digits_task(dataset: object, examples: Examples, *others: object) -> Task:
        learnt.append(len(examples))
        return original(dataset, examples, *others)  # type: ignore[arg-type]

    original = run.digits_task
    monkeypatch.setattr(run, "digits_task", digits_task)
    run.cross_validate(TrainingConfig(hidden=(4,), epochs=1), 2)
    assert set(learnt) == {1797 - 359}


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints and models are written below the folder in which a command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
