"""Only correct models are published, and each appears in one step."""

import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pytest

from service.model.artifact import Artifact, load, parse, save, serialize
from service.model.classifier import Classifier
from service.model.network import forward
from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY, Geometry
from service.preprocessing.pipeline import preprocess_grey
from tests.tiny import tiny_content
from trainer.data import Examples
from trainer.errors import RefusedError, TrainerError
from trainer.publishing import Gate, HeldOut, Notes, held_out_images, publish
from trainer.publishing.card import model_card
from trainer.publishing.figures import Figure, standard_error, validation_figure
from trainer.publishing.gate import check
from trainer.training import TrainingConfig

LOW = Gate(minimum_accuracy=0.1, maximum_drop=0.005)


@pytest.fixture
def content(quick_model: Path) -> bytes:
    return quick_model.read_bytes()


def changed(content: bytes, **changes: object) -> bytes:
    """Return the model file with some of what it holds replaced."""
    artifact = parse(content)
    names = ("layers", "rejector", "probe_images", "probe_logits", "metadata")
    parts = {name: getattr(artifact, name) for name in names} | changes
    return serialize(**parts)


def test_model_checksum_and_card_are_published_together(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    publish(content, "some-model", folder, LOW)
    assert sorted(path.name for path in folder.iterdir()) == [
        "some-model.md",
        "some-model.npz",
        "some-model.npz.sha256",
    ]
    assert (folder / "some-model.npz").read_bytes() == content
    digest = hashlib.sha256(content).hexdigest()
    assert (folder / "some-model.npz.sha256").read_text() == f"{digest}  some-model.npz\n"


def assert_refused(content: bytes, folder: Path, complaint: str, gate: Gate = LOW) -> None:
    with pytest.raises(RefusedError) as caught:
        publish(content, "some-model", folder, gate)
    assert str(caught.value).startswith("some-model was not published: ")
    assert complaint in str(caught.value)
    assert not folder.exists()


def test_gate_refuses_an_unreadable_file(content: bytes, tmp_path: Path) -> None:
    assert_refused(content[:-100], tmp_path / "models", "truncated")


def test_gate_refuses_nan_weights(content: bytes, tmp_path: Path) -> None:
    layers = parse(content).layers
    weights = layers[0].weights.copy()
    weights[3, 1] = np.nan
    spoilt = changed(content, layers=[layers[0]._replace(weights=weights), *layers[1:]])
    assert_refused(spoilt, tmp_path / "models", "NaN")


def test_gate_refuses_probes_with_other_logits(content: bytes, tmp_path: Path) -> None:
    spoilt = changed(content, probe_logits=parse(content).probe_logits + 0.5)
    assert_refused(spoilt, tmp_path / "models", "a probe's logits differ by 0.5")


def test_gate_refuses_a_low_accuracy(content: bytes, tmp_path: Path) -> None:
    assert_refused(content, tmp_path / "models", "at least 1.0000 is required", Gate(1.0, 0.005))


def test_gate_refuses_an_untested_model(content: bytes, tmp_path: Path) -> None:
    metadata = dict(parse(content).metadata) | {"metrics": {}}
    assert_refused(changed(content, metadata=metadata), tmp_path / "models", "it has no validation figure")


def test_gate_refuses_metadata_without_card_entries(content: bytes, tmp_path: Path) -> None:
    training = {"dataset": "digits", "trained_on": "2026-01-02"}
    metadata = dict(parse(content).metadata) | {"training": training}
    assert_refused(changed(content, metadata=metadata), tmp_path / "models", "its metadata lacks something")


def with_accuracy(content: bytes, accuracy: float, **training: object) -> bytes:
    """Return the model file saying of itself that it is this accurate."""
    metadata = dict(parse(content).metadata)
    kept = metadata["metrics"]["validation"] | {"accuracy": accuracy}
    metadata["metrics"] = metadata["metrics"] | {"validation": kept}
    metadata["training"] = metadata["training"] | training
    return changed(content, metadata=metadata)


def test_accuracy_may_drop_by_the_margin_only(content: bytes, tmp_path: Path) -> None:
    publish(with_accuracy(content, 0.98), "some-model", tmp_path, LOW)
    publish(with_accuracy(content, 0.976), "some-model", tmp_path, LOW)  # 0.004 less; 0.005 is allowed
    running = load(tmp_path / "some-model.npz")
    with pytest.raises(RefusedError) as caught:
        publish(with_accuracy(content, 0.9705), "some-model", tmp_path, LOW)
    assert "it gets 2.95 ± 1.55 % of 144 images wrong, but" in str(caught.value)
    assert f"{running.version}, which serves now, 2.40 % on the same images" in str(caught.value)
    assert load(tmp_path / "some-model.npz").sha256 == running.sha256
    publish(with_accuracy(content, 0.9705), "some-model", tmp_path, Gate(0.1, maximum_drop=0.006))
    publish(with_accuracy(content, 0.5), "some-model", tmp_path, Gate(0.1, maximum_drop=1))


def test_models_of_other_data_are_not_compared(content: bytes, tmp_path: Path) -> None:
    publish(with_accuracy(content, 0.9, dataset="mnist"), "some-model", tmp_path, LOW)
    with pytest.raises(RefusedError, match=r"measured on other data\. .* --data DIR"):
        publish(with_accuracy(content, 0.99), "some-model", tmp_path, LOW)


def test_gate_measures_both_models_on_given_images(content: bytes, tmp_path: Path) -> None:
    images = held_out_images("digits", None, TrainingConfig())
    measured = Gate(0.8, 0.005, images)
    kept = parse(content).metadata["metrics"]["validation"]
    assert validation_figure(parse(content), images) == (kept["accuracy"], kept["images"])

    weights = parse(content).layers[-1].weights.copy()
    weights[:, [4, 9]] = weights[:, [9, 4]]  # takes every four for a nine
    layers = [*parse(content).layers[:-1], parse(content).layers[-1]._replace(weights=weights)]
    confused = with_probes_of_its_own(changed(content, layers=layers))
    assert_refused(confused, tmp_path / "empty", "at least 0.8000 is required", measured)

    publish(content, "some-model", tmp_path, measured)
    low = Gate(0.1, 0.005, images)
    with pytest.raises(RefusedError, match=r"which serves now, 6\.94 % on the same images"):
        publish(with_accuracy(confused, 1.0), "some-model", tmp_path, low)


def with_probes_of_its_own(content: bytes) -> bytes:
    """Return the model file with logits that it really gives for its probes."""
    artifact = parse(content)
    pixels = [preprocess_grey(probe, artifact.geometry) for probe in artifact.probe_images]
    return changed(content, probe_logits=forward(artifact.layers, np.stack(pixels))[-1])


def test_running_model_is_measured_in_its_own_geometry(content: bytes, tmp_path: Path) -> None:
    asked = []

    def images(geometry: Geometry) -> Examples:
        asked.append(geometry)
        return Examples(np.full((5, geometry.side, geometry.side), 0.5, np.float32), np.arange(5))

    save(tmp_path / "some-model.npz", tiny_content(MNIST_GEOMETRY))
    publish(content, "some-model", tmp_path, Gate(0, 1, HeldOut(("other data",), images)))
    assert asked == [DIGITS_GEOMETRY, MNIST_GEOMETRY]


def test_broken_file_in_place_is_replaced(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "some-model.npz").write_bytes(b"broken")
    publish(content, "some-model", tmp_path, LOW)
    assert load(tmp_path / "some-model.npz").sha256 == parse(content).sha256


def test_refused_file_keeps_the_published_one(content: bytes, tmp_path: Path) -> None:
    publish(content, "some-model", tmp_path, LOW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(TrainerError):
        publish(content[:-1], "some-model", tmp_path, LOW)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_model_file_is_replaced_atomically_and_last(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced = []
    replace = os.replace

    def watch(source: Path, target: Path) -> None:
        assert source.parent == target.parent  # a rename inside one file system is atomic
        replaced.append((target.name, source.stat().st_size))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    publish(content, "some-model", tmp_path, LOW)
    assert replaced[-1] == ("some-model.npz", len(content))
    assert len(replaced) == 3


def test_full_disk_keeps_only_the_published_model(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(content, "some-model", tmp_path, LOW)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainerError, match=r"No space left on device\. Nothing was published"):
        publish(content, "some-model", tmp_path, LOW)
    assert len(list(tmp_path.iterdir())) == 3
    assert load(tmp_path / "some-model.npz").sha256 == hashlib.sha256(content).hexdigest()


def test_check_returns_the_artifact(content: bytes) -> None:
    artifact, comparison = check(content, "some-model", LOW)
    assert comparison.figure == validation_figure(artifact)
    assert isinstance(artifact, Artifact)
    Classifier(artifact).self_check()


def test_card_shows_the_figures_of_the_file(content: bytes) -> None:
    artifact = parse(content)
    card = model_card(artifact, "some-model", len(content))
    metrics = artifact.metadata["metrics"]
    assert f"| version | `{artifact.version}`" in card
    assert f"{artifact.parameters:,} weights and biases" in card
    error = re.search(r"^\| error, % \| (.*?) \| (.*?) \|$", card, re.MULTILINE)
    assert error is not None
    assert error.group(1) == f"{100 - 100 * metrics['test']['accuracy']:.2f}"
    assert error.group(2) == f"{100 - 100 * metrics['validation']['accuracy']:.2f}"
    assert artifact.metadata["training"]["command"] in card
    assert "| learning_rate | `0.01` |" in card


def test_card_names_convolutional_teachers(content: bytes) -> None:
    sources = {"teacher one.convolution.npz": "1" * 64, "teacher two.convolution.npz": "2" * 64}
    for more, words in (({}, "2 convolutional networks"), ({"teacher three.npz": "3" * 64}, "and 1 fully")):
        metadata = dict(parse(content).metadata)
        metadata["training"] = metadata["training"] | {"sources": sources | more}
        card = model_card(parse(changed(content, metadata=metadata)), "some-model", len(content))
        assert words in card
        assert "not served" in card
    assert "convolutional" not in model_card(parse(content), "some-model", len(content))


@pytest.mark.parametrize(("wrong", "passes"), [(10, True), (11, True), (14, False)])
def test_worse_by_more_than_a_standard_error_is_refused(
    wrong: int, passes: bool, content: bytes, tmp_path: Path
) -> None:
    publish(with_accuracy(content, 1 - 8 / 144), "some-model", tmp_path, Gate(0.5))
    newer = with_accuracy(content, 1 - wrong / 144)
    if passes:
        assert publish(newer, "some-model", tmp_path, Gate(0.5)).comparison.same
        return
    with pytest.raises(RefusedError, match=r"worse by more than a standard error \(\d\.\d\d points\)"):
        publish(newer, "some-model", tmp_path, Gate(0.5))
    publish(newer, "some-model", tmp_path, Gate(0.5, maximum_drop=1))


def test_standard_error_is_that_of_two_proportions() -> None:
    one, other = Figure(0.9, 1000), Figure(0.8, 1000)
    assert standard_error(one, other) == pytest.approx(np.sqrt(0.9 * 0.1 / 1000 + 0.8 * 0.2 / 1000), rel=0.01)
    assert standard_error(Figure(1.0, 144), Figure(1.0, 144)) > 1 / 144  # no mistake is not certainty


def test_test_images_decide_nothing(content: bytes, tmp_path: Path) -> None:
    metadata = dict(parse(content).metadata)
    metadata["metrics"] = metadata["metrics"] | {"test": metadata["metrics"]["test"] | {"accuracy": 0.0}}
    publish(content, "some-model", tmp_path, Gate(0.9))
    publish(changed(content, metadata=metadata), "some-model", tmp_path, Gate(0.9))


def test_other_split_is_compared_with_its_own_images(content: bytes, tmp_path: Path) -> None:
    publish(content, "some-model", tmp_path, Gate(0.5))
    config = parse(content).metadata["training"]["config"] | {"split_seed": 7}
    done = publish(with_accuracy(content, 0.95, config=config), "some-model", tmp_path, Gate(0.5))
    assert done.comparison.alike
    assert not done.comparison.same


def test_notes_about_another_version_are_refused(content: bytes, tmp_path: Path) -> None:
    notes = tmp_path / "some-model.notes.md"
    notes.write_text("Of version `0123456789ab`, measured.\n")
    with pytest.raises(RefusedError, match=r"some-model\.notes\.md is about version 0123456789ab, this is"):
        publish(content, "some-model", tmp_path, LOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == [notes.name]
    done = publish(content, "some-model", tmp_path, LOW, notes=Notes(optional=True))
    assert done.left_out == "0123456789ab"
    assert "measured" not in (tmp_path / "some-model.md").read_text()


def test_notes_beside_the_model_are_published_with_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "some-model.notes.md").write_text("Of version `0123456789ab`.\n")
    beside = tmp_path / "some-model.notes.md"
    beside.write_text(f"Of version `{parse(content).version}`: new figures.\n")
    publish(content, "some-model", tmp_path / "served", LOW, notes=Notes(beside))
    assert "new figures" in (tmp_path / "served" / "some-model.md").read_text()
    assert (tmp_path / "served" / "some-model.notes.md").read_text() == beside.read_text()


def test_model_without_every_digit_is_refused(content: bytes, tmp_path: Path) -> None:
    partial = with_accuracy(content, 0.99, missing_digits=[4, 9])
    assert_refused(partial, tmp_path / "models", "it has never seen the digits 4, 9")
    publish(partial, "some-model", tmp_path / "models", Gate(0.1, all_digits=False))
