"""What was trained accepts digits and refuses other things, and its judge can be fitted anew."""

from pathlib import Path

import numpy as np
import pytest

from service.artifact import load, parse
from service.classifier import Classifier
from tests.training import QUICK, run_trainer, write_mnist
from trainer.config import config_from
from trainer.data import Examples, load_dataset
from trainer.evaluate import generated_refusals
from trainer.judge import distorted, fit_judge


def accepted(classifier: Classifier, pixels: np.ndarray) -> float:
    return float(np.mean([one.accepted for one in classifier.classify(pixels)]))


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick model with a judge that has seen enough to be good."""
    folder = tmp_path_factory.mktemp("judged")
    words = [word if word != "100" else "300" for word in QUICK]
    done = run_trainer(
        "train", "digits", *words, "--averaging", "0.9", "--epochs", "20", "--to", folder, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return folder / "digits-8x8.npz"


def test_a_trained_model_accepts_digits_and_refuses_other_things(judged: Path) -> None:
    classifier = Classifier(load(judged))
    assert accepted(classifier, load_dataset("digits", None).test.pixels) >= 0.95
    refusals = generated_refusals(classifier, each=15)
    assert np.mean([one.refused for one in refusals.values()]) >= 0.6


def test_a_judge_fitted_anew_is_the_judge_that_training_made(judged: Path, tmp_path: Path) -> None:
    done = run_trainer("judge", judged, "digits", "--to", tmp_path, "--minimum-accuracy", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / judged.name).read_bytes() == judged.read_bytes()


def test_a_model_gets_another_judge_and_keeps_its_network(judged: Path, tmp_path: Path) -> None:
    words = ("judge", judged, "digits", "--outliers", "50", "--to", tmp_path, "--minimum-accuracy", "0")
    assert run_trainer(*words, cwd=tmp_path).returncode == 0
    old, new = load(judged), load(tmp_path / judged.name)
    assert np.array_equal(old.layers[0].weights, new.layers[0].weights)
    assert not np.array_equal(old.judge[0].weights, new.judge[0].weights)
    assert new.metadata["training"]["command"].endswith(" --outliers 50")
    assert "50 pictures of what is no digit" in (tmp_path / "digits-8x8.md").read_text()


def test_a_judge_is_fitted_only_on_the_data_of_the_model(judged: Path, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    done = run_trainer("judge", judged, "mnist", "--data", data, "--to", tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert "the model was not trained on this mnist. Give the data it was trained on" in done.stderr


def test_a_model_can_do_without_a_judge(judged: Path, tmp_path: Path) -> None:
    words = ("judge", judged, "digits", "--outliers", "0", "--to", tmp_path, "--minimum-accuracy", "0")
    assert run_trainer(*words, cwd=tmp_path).returncode == 0
    assert load(tmp_path / judged.name).judge == ()
    assert "holds no judge" in (tmp_path / "digits-8x8.md").read_text()


def test_the_judge_of_a_network_without_hidden_layers_sees_the_pixels(judged: Path) -> None:
    artifact = parse(judged.read_bytes())
    digits = load_dataset("digits", None).train.take(np.arange(60))
    config = config_from(artifact.metadata["training"]["config"] | {"outliers": 20})
    last = artifact.layers[-1]
    alone = [last._replace(weights=np.zeros((64, 10), np.float32))]
    (first, second) = fit_judge(alone, digits, artifact.geometry, config)
    assert first.weights.shape[0] == 64
    assert second.weights.shape[1] == 1


def test_distorted_copies_are_other_pictures_with_the_same_labels() -> None:
    dataset = load_dataset("digits", None)
    digits: Examples = dataset.train.take(np.arange(30))
    copies = distorted(digits, dataset.geometry, config_from({}), np.random.default_rng(0))
    assert np.array_equal(copies.labels, digits.labels)
    assert copies.pictures.shape == digits.pictures.shape
    assert np.abs(copies.pictures - digits.pictures).mean() > 0.02
