"""A trained model accepts digits and refuses other things, and its rejector can be refitted."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from service.model.artifact import load, parse
from service.model.classifier import Classifier
from service.model.network import Layer, forward
from tests.trainer.quick import QUICK, write_mnist
from trainer.cli import main
from trainer.data import Examples, load_dataset
from trainer.evaluation import generated_refusals
from trainer.publishing.calibration import fit_thresholds
from trainer.training import TrainingConfig, config_from, distorted, fit_rejector, rejector
from trainer.training.batches import made_ahead


@pytest.fixture(autouse=True, scope="module")
def _same_day() -> Iterator[None]:
    """Give the same bytes on any day, as SOURCE_DATE_EPOCH does for a user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        yield


def judge(*words: object) -> int:
    """Fit a rejector by command, in this process, and return the exit code."""
    return main(["judge", *map(str, words)])


def accepted(classifier: Classifier, pixels: np.ndarray) -> float:
    return float(np.mean([one.accepted for one in classifier.classify(pixels)]))


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick model with a rejector that has seen enough to be good."""
    folder = tmp_path_factory.mktemp("model_file")
    words = [*QUICK, "--outliers", "2000", "--judge-epochs", "40"]
    places = ("--to", str(folder), "--runs", str(folder / "runs"))
    assert main(["train", "digits", *words, "--averaging", "0.9", "--epochs", "20", *places]) == 0
    return folder / "digits-8x8.npz"


def test_trained_model_accepts_digits_and_refuses_other_things(model_file: Path) -> None:
    classifier = Classifier(load(model_file))
    assert accepted(classifier, load_dataset("digits", None).test.pixels) >= 0.95
    refusals = generated_refusals(classifier, each=15)
    assert np.mean([one.refused for one in refusals.values()]) >= 0.6


def test_refitted_rejector_equals_the_trained_one(model_file: Path, tmp_path: Path) -> None:
    assert judge(model_file, "digits", "--to", tmp_path, "--minimum-accuracy", "0") == 0
    assert (tmp_path / model_file.name).read_bytes() == model_file.read_bytes()


def test_new_rejector_keeps_the_network(model_file: Path, tmp_path: Path) -> None:
    words = ("digits", "--outliers", "50", "--to", tmp_path, "--minimum-accuracy", "0")
    assert judge(model_file, *words) == 0
    old, new = load(model_file), load(tmp_path / model_file.name)
    assert np.array_equal(old.layers[0].weights, new.layers[0].weights)
    assert not np.array_equal(old.rejector[0].weights, new.rejector[0].weights)
    assert new.metadata["training"]["command"].endswith(" --outliers 50")
    assert "50 pictures of non-digits" in (tmp_path / "digits-8x8.md").read_text()


def test_rejector_gets_the_requested_settings(model_file: Path, tmp_path: Path) -> None:
    settings = ("--outliers", "50", "--judge-units", "7", "--judge-epochs", "2", "--judge-members", "3")
    made = model_file
    limits = []
    for share in ("0.3", "0.05"):
        shares = ("--refused-share", share, "--unsure-share", share)
        words = ("digits", *settings, *shares, "--to", tmp_path, "--minimum-accuracy", "0")
        assert judge(made, *words) == 0
        made = tmp_path / model_file.name
        model = load(made)
        assert model.rejector[0].weights.shape[1] == 3 * 7
        command = model.metadata["training"]["command"]
        assert command.endswith(" ".join(("", *shares)))
        assert all(command.count(flag) == 1 for flag in (*settings[::2], *shares[::2]))
        limits.append((model.max_novelty, -model.min_confidence))
    assert limits[0] < limits[1]
    assert limits[0][1] < limits[1][1]


def test_rejector_is_fitted_only_on_the_models_data(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_mnist(tmp_path / "mnist")
    assert judge(model_file, "mnist", "--data", data, "--to", tmp_path) == 1
    said = capsys.readouterr().err
    assert "the model was not trained on this mnist. Give the data it was trained on" in said


def test_model_can_omit_the_rejector(model_file: Path, tmp_path: Path) -> None:
    words = ("digits", "--outliers", "0", "--to", tmp_path, "--minimum-accuracy", "0")
    assert judge(model_file, *words) == 0
    assert load(tmp_path / model_file.name).rejector == ()
    assert "has no rejector" in (tmp_path / "digits-8x8.md").read_text()


def test_rejector_of_a_linear_network_sees_the_pixels(model_file: Path) -> None:
    artifact = parse(model_file.read_bytes())
    digits = load_dataset("digits", None).train.take(np.arange(60))
    config = config_from(artifact.metadata["training"]["config"] | {"outliers": 20})
    last = artifact.layers[-1]
    alone = [last._replace(weights=np.zeros((64, 10), np.float32))]
    (first, second) = fit_rejector(alone, digits, artifact.geometry, config)
    assert first.weights.shape[0] == 64
    assert second.weights.shape[1] == 1


def test_distorted_copies_keep_their_labels() -> None:
    dataset = load_dataset("digits", None)
    digits: Examples = dataset.train.take(np.arange(30))
    copies = distorted(digits, dataset.geometry, config_from({}), np.random.default_rng(0))
    assert np.array_equal(copies.labels, digits.labels)
    assert copies.pictures.shape == digits.pictures.shape
    assert np.abs(copies.pictures - digits.pictures).mean() > 0.02


def small_config(**changes: object) -> TrainingConfig:
    """Return settings that fit a rejector in a moment."""
    return config_from({"outliers": 60, "judge_units": 4, **changes})


def shown_pixels(monkeypatch: pytest.MonkeyPatch, config: TrainingConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return what the rejector of a network without hidden layers sees: pixels and targets."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def watch(make: Callable, order: np.ndarray, rows: int) -> Iterator:
        for batch in made_ahead(make, order, rows):
            seen.append(batch)
            yield batch

    monkeypatch.setattr(rejector, "made_ahead", watch)
    dataset = load_dataset("digits", None)
    fit_rejector([LINEAR], dataset.train.take(np.arange(40)), dataset.geometry, config)
    inputs, targets = zip(*seen, strict=True)
    return np.concatenate(inputs), np.concatenate(targets)


LINEAR = Layer(np.zeros((64, 10), np.float32), np.zeros(10, np.float32), "linear")


def test_members_differ_and_become_one_network() -> None:
    dataset = load_dataset("digits", None)
    digits, pixels = dataset.train.take(np.arange(40)), dataset.test.pixels
    settings = small_config(judge_epochs=2), small_config(judge_epochs=2, judge_members=2)
    alone, both = (fit_rejector([LINEAR], digits, dataset.geometry, one) for one in settings)
    parts = both[0].weights[:, :4], both[0].weights[:, 4:]
    assert np.array_equal(parts[0], alone[0].weights)
    assert not np.allclose(parts[0], parts[1], atol=0.01)
    other = [
        Layer(parts[1], both[0].biases[4:], "relu"),
        Layer(2 * both[1].weights[4:], 2 * both[1].biases - alone[1].biases, "linear"),
    ]
    mean = (forward(alone, pixels)[-1] + forward(other, pixels)[-1]) / 2
    assert forward(both, pixels)[-1] == pytest.approx(mean, abs=1e-5)
    assert np.ptp(mean) > 0.01


def test_half_of_digits_and_outliers_are_distorted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels, targets = shown_pixels(monkeypatch, small_config())
    for target in (0, 1):
        shown = pixels[targets[:, 0] == target]
        _, counts = np.unique(shown, axis=0, return_counts=True)
        # Unchanged pictures repeat in other epochs; distorted copies never do.
        assert np.sum(counts == 1) / len(shown) == pytest.approx(0.5, abs=0.06), target


def test_few_digits_are_shown_as_often_as_outliers(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = small_config(outliers=400)
    _, targets = shown_pixels(monkeypatch, settings)
    # Outliers, drawn and unusual digits, forty resampled ones, and forty digits ten times.
    assert len(targets) / settings.judge_epochs == 400 + 133 + 100 + 40 + 10 * 40
    assert targets.sum() / settings.judge_epochs == 400


def test_limit_refuses_the_requested_share(model_file: Path) -> None:
    dataset = load_dataset("digits", None)
    model = load(model_file)
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
