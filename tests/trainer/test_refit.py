"""A network trained on all images has the figures of its twin, and its card says so."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from service.model.artifact import Artifact, load
from tests.trainer.quick import QUICK, QUICK_MODEL, write_mnist
from trainer.cli import main
from trainer.data import load_dataset
from trainer.distillation import Committee
from trainer.distillation.committee import Perceptron
from trainer.errors import UsageError
from trainer.publishing import held_out_images
from trainer.publishing.figures import validation_figure
from trainer.recipes import add_flags, load_config
from trainer.training import TrainingConfig

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def refit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a second's training, and another one on all images."""
    folder = tmp_path_factory.mktemp("refit")
    words = ["--refit", "--to", str(folder), "--runs", str(folder / "runs")]
    quick = [word for word in QUICK_MODEL if word != "--no-report"]
    assert main(["train", "digits", *quick, *words]) == 0
    return folder / "digits-8x8.npz"


def error_on_all(artifact: Artifact) -> float:
    from service.model.classifier import Classifier

    examples = load_dataset("digits", None).everything
    answers = np.array([one.digit for one in Classifier(artifact).classify(examples.pixels)])
    return float(np.mean(answers != examples.labels))


def test_refit_takes_every_measured_figure_from_its_twin(refit: Path, quick_model: Path) -> None:
    model, twin = load(refit), load(quick_model)
    assert not np.array_equal(model.layers[0].weights, twin.layers[0].weights)
    assert not np.array_equal(model.rejector[0].weights, twin.rejector[0].weights)
    assert model.metadata["metrics"] == twin.metadata["metrics"]
    for name in ("temperature", "min_confidence", "max_novelty"):
        assert model.metadata[name] == twin.metadata[name]
    assert model.metadata["training"]["examples"] == twin.metadata["training"]["examples"] | {"refit": 1797}
    assert error_on_all(model) < error_on_all(twin)


def test_card_and_summary_name_the_twin(refit: Path, capsys: Output) -> None:
    card = refit.with_suffix(".md").read_text()
    assert "on 1,797 images of `digits`" in card
    assert "figures for test and validation are those of its twin" in card
    assert "only on\n1,294 images" in card
    report = (refit.parent / "runs/digits-8x8/report/report.html").read_text()
    assert load(refit).version in report
    assert "those of its twin" in report
    assert main(["publish", str(refit), "--to", "elsewhere", "--minimum-accuracy", "0"]) == 0
    assert "of 359 images (twin trained without them)" in capsys.readouterr().out


def test_evaluate_marks_learned_images(refit: Path, quick_model: Path, capsys: Output) -> None:
    assert main(["evaluate", str(refit), "digits"]) == 0
    assert "(learned in training; see its card for the error on new images)" in capsys.readouterr().out
    assert main(["evaluate", str(quick_model), "digits"]) == 0
    assert "learned" not in capsys.readouterr().out


def test_gate_measures_only_on_unlearned_images(refit: Path, quick_model: Path) -> None:
    model = load(refit)
    images = held_out_images("digits", None, TrainingConfig())
    kept = model.metadata["metrics"]["validation"]
    assert validation_figure(model, images) == (kept["accuracy"], kept["images"])
    assert not images.unseen_by(model)
    assert images.unseen_by(load(quick_model))


def test_refit_and_plain_models_replace_each_other(refit: Path, quick_model: Path) -> None:
    for file in (quick_model, refit, quick_model):
        assert main(["publish", str(file), "--to", "served", "--minimum-accuracy", "0"]) == 0
        assert load(Path("served/digits-8x8.npz")).sha256 == load(file).sha256


def test_refitted_rejector_keeps_the_twins_limit(refit: Path, capsys: Output) -> None:
    words = ["judge", str(refit), "digits", "--to", "refitted", "--minimum-accuracy", "0"]
    assert main(words) == 0
    assert Path("refitted/digits-8x8.npz").read_bytes() == refit.read_bytes()
    assert main([*words, "--outliers", "50"]) == 2
    assert "Train it again: python -m trainer train digits" in capsys.readouterr().err


def test_official_test_images_are_never_learned(tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    assert len(load_dataset("mnist", data).everything) == 120
    words = ["train", "mnist", "--data", str(data), *QUICK, "--hidden", "8", "--epochs", "1", "--name", "x"]
    words += ["--drawn", "10"]
    assert main([*words, "--refit"]) == 0
    assert main([*words, "--runs", "twin"]) == 0
    model, twin = load(Path("runs/x/x.npz")).metadata, load(Path("twin/x/x.npz")).metadata
    assert model["training"]["examples"]["refit"] == 120
    assert model["metrics"]["validation"] == twin["metrics"]["validation"]
    assert model["metrics"]["test"] != twin["metrics"]["test"]  # the network itself was measured on them
    assert "The\nfigures for validation are" in Path("runs/x/x.md").read_text()


def test_teachers_answer_again_for_the_refit(tmp_path: Path, quick_model: Path) -> None:
    words = ["distill", "digits", "--teachers", str(quick_model.parent), *QUICK, "--views", "1", "--refit"]
    assert main([*words, "--epochs", "1"]) == 0
    committee = Committee({"teacher": Perceptron(load(quick_model))})
    two = load_dataset("digits", None).test.pixels[:2]
    before = committee.cached_answers((0, 0), two[:1], 1)
    committee.clear_cache()
    assert not np.array_equal(committee.cached_answers((0, 0), two[1:], 1), before)


def test_patience_with_refit_is_refused(capsys: Output) -> None:
    assert main(["train", "digits", *QUICK, "--refit", "--patience", "3"]) == 2
    assert "set --patience 0" in capsys.readouterr().err


def test_shipped_digits_recipe_refits_by_default(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    assert load_config("digits-8x8", parser.parse_args([])).refit is True
    assert load_config("digits-8x8", parser.parse_args(["--no-refit"])).refit is False
    (tmp_path / "some.toml").write_text("[training]\nrefit = 1\n")
    with pytest.raises(UsageError, match="refit is 1; input should be a valid boolean"):
        load_config(str(tmp_path / "some.toml"), parser.parse_args([]))


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints and models are written below the folder in which a command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
