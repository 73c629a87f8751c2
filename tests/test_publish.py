"""Nothing wrong is published, and what is published appears in one step."""

import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pytest

from service.artifact import Artifact, load, parse, serialize
from service.classifier import Classifier
from trainer.card import model_card
from trainer.errors import TrainerError
from trainer.publish import check, publish


@pytest.fixture
def content(quick_model: Path) -> bytes:
    return quick_model.read_bytes()


def changed(content: bytes, **changes: object) -> bytes:
    """Return the model file with some of what it holds replaced."""
    artifact = parse(content)
    names = ("layers", "judge", "probe_images", "probe_logits", "metadata")
    parts = {name: getattr(artifact, name) for name in names} | changes
    return serialize(**parts)


def test_model_checksum_and_card_are_published_together(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    publish(content, "some-model", folder, minimum_accuracy=0.1)
    assert sorted(path.name for path in folder.iterdir()) == [
        "some-model.md",
        "some-model.npz",
        "some-model.npz.sha256",
    ]
    assert (folder / "some-model.npz").read_bytes() == content
    digest = hashlib.sha256(content).hexdigest()
    assert (folder / "some-model.npz.sha256").read_text() == f"{digest}  some-model.npz\n"


def assert_refused(content: bytes, folder: Path, complaint: str, minimum_accuracy: float = 0.1) -> None:
    with pytest.raises(TrainerError) as caught:
        publish(content, "some-model", folder, minimum_accuracy)
    assert str(caught.value).startswith("some-model was not published: ")
    assert complaint in str(caught.value)
    assert not folder.exists()


def test_the_gate_refuses_a_file_that_cannot_be_read(content: bytes, tmp_path: Path) -> None:
    assert_refused(content[:-100], tmp_path / "models", "truncated")


def test_the_gate_refuses_weights_that_are_no_numbers(content: bytes, tmp_path: Path) -> None:
    layers = parse(content).layers
    weights = layers[0].weights.copy()
    weights[3, 1] = np.nan
    spoilt = changed(content, layers=[layers[0]._replace(weights=weights), *layers[1:]])
    assert_refused(spoilt, tmp_path / "models", "NaN")


def test_the_gate_refuses_probes_that_give_other_answers(content: bytes, tmp_path: Path) -> None:
    spoilt = changed(content, probe_logits=parse(content).probe_logits + 0.5)
    assert_refused(spoilt, tmp_path / "models", "a probe's logits differ by 0.5")


def test_the_gate_refuses_what_answers_too_badly(content: bytes, tmp_path: Path) -> None:
    assert_refused(content, tmp_path / "models", "at least 1.0000 is asked for", minimum_accuracy=1.0)


def test_the_gate_refuses_what_was_never_tested(content: bytes, tmp_path: Path) -> None:
    metadata = dict(parse(content).metadata) | {"metrics": {}}
    assert_refused(changed(content, metadata=metadata), tmp_path / "models", "test accuracy none")


def test_a_refused_file_leaves_the_published_one_alone(content: bytes, tmp_path: Path) -> None:
    publish(content, "some-model", tmp_path, 0.1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(TrainerError):
        publish(content[:-1], "some-model", tmp_path, 0.1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_model_file_is_replaced_in_one_step_and_last(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced = []
    replace = os.replace

    def watch(source: Path, target: Path) -> None:
        assert source.parent == target.parent  # a rename inside one file system is atomic
        replaced.append((target.name, source.stat().st_size))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    publish(content, "some-model", tmp_path, 0.1)
    assert replaced[-1] == ("some-model.npz", len(content))
    assert len(replaced) == 3


def test_a_full_disk_leaves_the_published_model_and_no_scrap(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(content, "some-model", tmp_path, 0.1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainerError, match=r"No space left on device\. Nothing was published"):
        publish(content, "some-model", tmp_path, 0.1)
    assert len(list(tmp_path.iterdir())) == 3
    assert load(tmp_path / "some-model.npz").sha256 == hashlib.sha256(content).hexdigest()


def test_checking_gives_the_artefact_back(content: bytes) -> None:
    artifact = check(content, "some-model", 0.1)
    assert isinstance(artifact, Artifact)
    Classifier(artifact).self_check()


def test_the_card_shows_the_figures_of_the_file(content: bytes) -> None:
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
