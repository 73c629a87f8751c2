"""What was trained accepts digits and refuses other things, and its judge can be fitted anew."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from service.model.artifact import load, parse
from service.model.classifier import Classifier
from service.model.network import Layer
from tests.training import QUICK, run_trainer, write_mnist
from trainer.data.datasets import Examples, load_dataset
from trainer.evaluation.metrics import generated_refusals
from trainer.publishing.export import fit_thresholds
from trainer.training import rejector as judge
from trainer.training.batches import made_ahead
from trainer.training.config import TrainingConfig, config_from
from trainer.training.rejector import distorted, fit_judge


def accepted(classifier: Classifier, pixels: np.ndarray) -> float:
    return float(np.mean([one.accepted for one in classifier.classify(pixels)]))


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick model with a judge that has seen enough to be good."""
    folder = tmp_path_factory.mktemp("judged")
    words = [word if word != "100" else "2000" for word in QUICK]
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


def test_a_judge_becomes_as_wide_as_asked(judged: Path, tmp_path: Path) -> None:
    words = ("judge", judged, "digits", "--outliers", "50", "--judge-units", "7", "--to", tmp_path)
    assert run_trainer(*words, "--minimum-accuracy", "0", cwd=tmp_path).returncode == 0
    model = load(tmp_path / judged.name)
    assert model.judge[0].weights.shape[1] == 7
    assert model.metadata["training"]["command"].endswith(" --outliers 50 --judge-units 7")


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


def small_judge_config(**changes: object) -> TrainingConfig:
    """Return settings that make a judge in a moment."""
    return config_from({"outliers": 60, "judge_units": 4, **changes})


def shown_pixels(monkeypatch: pytest.MonkeyPatch, config: TrainingConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return what the judge of a network without hidden layers is shown: pixels and targets."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def watch(make: Callable, order: np.ndarray, rows: int) -> Iterator:
        for batch in made_ahead(make, order, rows):
            seen.append(batch)
            yield batch

    monkeypatch.setattr(judge, "made_ahead", watch)
    dataset = load_dataset("digits", None)
    fit_judge([LINEAR], dataset.train.take(np.arange(40)), dataset.geometry, config)
    inputs, targets = zip(*seen, strict=True)
    return np.concatenate(inputs), np.concatenate(targets)


LINEAR = Layer(np.zeros((64, 10), np.float32), np.zeros(10, np.float32), "linear")


def test_in_each_epoch_digits_and_outliers_are_distorted_anew_in_equal_shares(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels, targets = shown_pixels(monkeypatch, small_judge_config())
    for target in (0, 1):
        shown = pixels[targets[:, 0] == target]
        _, counts = np.unique(shown, axis=0, return_counts=True)
        # What comes as it is comes again in other epochs; a distorted copy is never the same twice.
        assert np.sum(counts == 1) / len(shown) == pytest.approx(0.5, abs=0.06), target


def test_few_digits_are_shown_about_as_often_as_outliers(monkeypatch: pytest.MonkeyPatch) -> None:
    _, targets = shown_pixels(monkeypatch, small_judge_config(outliers=400))
    assert (
        len(targets) / judge.EPOCHS == 400 + 100 + 10 * 40
    )  # outliers, drawn digits, forty digits ten times
    assert targets.sum() / judge.EPOCHS == 400


def test_the_limit_refuses_the_share_that_was_asked_for(judged: Path) -> None:
    dataset = load_dataset("digits", None)
    model = load(judged)
    draft = dataclasses.replace(model, min_confidence=0.0, max_novelty=1.0)
    limits = [
        fit_thresholds(draft, dataset.test, dataset.geometry, config_from({"refused_share": share}))
        for share in (0.05, 0.2)
    ]
    pictures = np.concatenate(
        (
            dataset.test.pixels,
            distorted(dataset.test, dataset.geometry, config_from({}), np.random.default_rng((0, 2))).pixels,
        )
    )
    for share, limit in zip((0.05, 0.2), limits, strict=True):
        classifier = Classifier(dataclasses.replace(draft, max_novelty=limit["max_novelty"]))
        assert 1 - accepted(classifier, pictures) == pytest.approx(share, abs=0.01)
