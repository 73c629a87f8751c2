"""A convolutional teacher learns, resumes exactly, and is read back as it was written."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.model.errors import ArtifactError
from service.model.network import softmax
from tests.tiny import tiny_artifact, tiny_content
from trainer.cli import main
from trainer.data import Augmentation, Dataset, Examples, hold_out, load_dataset
from trainer.distillation import load_committee, train_teacher
from trainer.distillation import teacher as module
from trainer.distillation.convolution import Convolution, load_convolution
from trainer.distillation.teacher import folded, initial_teacher
from trainer.errors import TrainerError, UsageError
from trainer.training import CONVOLUTION_SUFFIX, Progress, Session, TrainingConfig

CHANNELS = (4, 8)
GENTLE = Augmentation(elastic_alpha=0, rotation=5, scale=0.05, shear=0, shift=0.2, stroke_share=0)
CONFIG = TrainingConfig(
    hidden=(32,),
    epochs=4,
    batch_size=32,
    learning_rate=0.01,
    dropout=0.1,
    validation=0.2,
    augmentation=GENTLE,
)


@pytest.fixture(scope="module", autouse=True)
def torch() -> Any:
    """PyTorch, imported when the first of these tests runs: not by each process that only collects them."""
    reason = "needs PyTorch: pip install -r trainer/requirements-teachers.txt"
    return pytest.importorskip("torch", reason=reason)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_dataset("digits", None)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session("tiny", "python -m trainer teach digits", tmp_path / "checkpoint", quiet=True)


@pytest.fixture(scope="module")
def content(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    checkpoint = tmp_path_factory.mktemp("whole") / "checkpoint"
    command = "python -m trainer teach digits"
    return train_teacher(dataset, CONFIG, CHANNELS, Session("tiny", command, checkpoint, quiet=True))


@pytest.fixture
def teacher(content: bytes, tmp_path: Path) -> Path:
    path = tmp_path / f"tiny{CONVOLUTION_SUFFIX}"
    path.write_bytes(content)
    return path


def with_member(content: bytes, **changes: np.ndarray) -> bytes:
    """Return a teacher's file with other arrays in it."""
    with np.load(io.BytesIO(content), allow_pickle=True) as file:
        members = {name: file[name] for name in file.files} | changes
    buffer = io.BytesIO()
    np.savez(buffer, **members)
    return buffer.getvalue()


def test_teacher_learns_digits(teacher: Path, dataset: Dataset) -> None:
    right = load_convolution(teacher).logits(dataset.test.pixels).argmax(axis=1) == dataset.test.labels
    assert right.mean() > 0.8


def test_validation_images_stay_unseen(
    dataset: Dataset, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Examples] = []
    whole = module.train_epoch

    def train_epoch(state: module.TeacherState, examples: Examples, *rest: object) -> dict[str, float]:
        seen.append(examples)
        return whole(state, examples, *rest)

    monkeypatch.setattr(module, "train_epoch", train_epoch)
    config = dataclasses.replace(CONFIG, epochs=1, drawn=5)
    train_teacher(dataset, config, CHANNELS, session)
    fit, _ = hold_out(dataset.train, CONFIG.validation, CONFIG.split_seed)
    assert np.array_equal(seen[0].pictures[:-5], fit.pictures)


def test_interrupted_teacher_resumes_to_the_same_file(
    content: bytes, dataset: Dataset, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Progress):
        def epoch(self, latest: dict) -> None:
            if latest["epoch"] == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "Progress", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_teacher(dataset, CONFIG, CHANNELS, session)
    assert train_teacher(dataset, CONFIG, CHANNELS, dataclasses.replace(session, resume=True)) == content


def test_other_settings_are_refused_on_resume(dataset: Dataset, session: Session) -> None:
    config = dataclasses.replace(CONFIG, epochs=1)
    train_teacher(dataset, config, CHANNELS, session)
    again = dataclasses.replace(session, resume=True)
    with pytest.raises(TrainerError, match="other settings or data"):
        train_teacher(dataset, config, (4, 4), again)
    session.checkpoint.write_bytes(session.checkpoint.read_bytes()[:1000])
    with pytest.raises(TrainerError, match="cannot be read"):
        train_teacher(dataset, config, CHANNELS, again)


def test_settings_without_effect_are_refused(dataset: Dataset, session: Session) -> None:
    with pytest.raises(UsageError, match="has no setting 'input_offset'"):
        train_teacher(dataset, dataclasses.replace(CONFIG, input_offset=0.13), CHANNELS, session)
    with pytest.raises(UsageError, match="8 pixels cannot be halved 4 times"):
        train_teacher(dataset, CONFIG, (4, 4, 4, 4), session)


def test_folded_normalization_keeps_the_logits(dataset: Dataset, torch: Any) -> None:
    network = initial_teacher(8, CHANNELS, CONFIG).network
    pixels = dataset.train.pixels[:64]
    pictures = torch.tensor(pixels).reshape(-1, 1, 8, 8)
    for _ in range(20):
        network(pictures)  # moves the running means away from 0 and 1
    network.eval()
    with torch.no_grad():
        expected = network(pictures).numpy()
    found = Convolution(folded(network), dataset.geometry).logits(pixels)
    # bfloat16 has eight bits; without the means the answers are off by more than their spread
    assert np.abs(found - expected).max() < 0.05 * expected.std()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda content: content[:-100], "truncated or not a convolutional teacher"),
        (lambda content: b"", "truncated or not a convolutional teacher"),
        (lambda content: tiny_content(), "not a convolutional teacher"),
        (lambda content: with_member(content, weights_0=np.zeros((4, 2, 3, 3), "f4")), "layer 0 has weights"),
        (lambda content: with_member(content, weights_4=np.zeros((16, 9), "f4")), "layer 4 has weights"),
        (lambda content: with_member(content, biases_1=np.full(4, np.nan, "f4")), "not finite"),
        (lambda content: with_member(content, biases_1=np.full(4, None)), "not a convolutional teacher"),
        (lambda content: with_member(content, metadata=np.array("[]")), "not a convolutional teacher"),
    ],
)
def test_broken_file_is_refused(spoil: object, complaint: str, content: bytes, teacher: Path) -> None:
    teacher.write_bytes(spoil(content))
    with pytest.raises(ArtifactError, match=complaint):
        load_convolution(teacher)
    with pytest.raises(TrainerError, match="cannot be used"):
        load_committee(teacher.parent, tiny_artifact().geometry)


def test_mixed_committee_answers_with_the_mean(teacher: Path, dataset: Dataset) -> None:
    (teacher.parent / "tiny.npz").write_bytes(tiny_content())
    pixels, perceptron = dataset.test.pixels, tiny_artifact()
    committee = load_committee(teacher.parent, dataset.geometry)
    first = np.maximum(pixels @ perceptron.layers[0].weights + perceptron.layers[0].biases, 0)
    one = softmax(first @ perceptron.layers[1].weights + perceptron.layers[1].biases, 2)
    other = softmax(load_convolution(teacher).logits(pixels), 2)
    assert committee.answers(pixels, 2) == pytest.approx((one + other) / 2, abs=1e-6)
    assert committee.sources == {
        "teacher tiny.npz": perceptron.sha256,
        f"teacher tiny{CONVOLUTION_SUFFIX}": load_convolution(teacher).sha256,
    }


def test_command_writes_a_teacher_that_distills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--epochs", "1", "--hidden", "8", "--quiet"]
    words = ["teach", "digits", "--to", "teachers", "--channels", "4", "--name", "one", "--drawn", "0"]
    assert main([*words, *small]) == 0
    assert capsys.readouterr().out == f"wrote the teacher teachers/one{CONVOLUTION_SUFFIX}\n"
    words = ["distill", "digits", "--teachers", "teachers", "--outliers", "0", "--no-publish", "--no-refit"]
    assert main([*words, *small]) == 0
