"""Training learns, is reproducible to the last bit, resumes exactly and stops early."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from service.preprocessing.normalization import MNIST_GEOMETRY
from tests.trainer.quick import drawn_examples
from trainer.data import Augmentation, Dataset, Examples
from trainer.errors import TrainerError
from trainer.training import (
    Task,
    TrainingConfig,
    TrainingState,
    digits_task,
    epoch_batches,
    initial_state,
    train,
)
from trainer.training.batches import ViewCache
from trainer.training.checkpoint import read_checkpoint, write_checkpoint
from trainer.training.loop import epochs_since_best, finished

EXAMPLES, VALIDATION = drawn_examples(150), drawn_examples(40, seed=9)
DATASET = Dataset("drawn", MNIST_GEOMETRY, EXAMPLES, VALIDATION)
CONFIG = TrainingConfig(hidden=(24,), epochs=4, batch_size=32, seed=5)


def task_of(config: TrainingConfig) -> Task:
    return digits_task(DATASET, EXAMPLES, VALIDATION, config)


def trained(config: TrainingConfig) -> TrainingState:
    task = task_of(config)
    return train(initial_state(config, task.inputs, task.outputs), task, config)


def test_small_network_learns_drawn_digits() -> None:
    config = dataclasses.replace(
        CONFIG, epochs=40, averaging=0.0, learning_rate=0.005, augmentation=Augmentation(share=0)
    )
    state = trained(config)
    assert state.history[-1]["validation_accuracy"] > 0.9
    assert state.history[-1]["loss"] < 0.1 < state.history[0]["loss"]


# Together they cover what is kept between steps: optimizer, average, dropout and patience.
VARIANTS = [
    CONFIG,
    dataclasses.replace(CONFIG, optimizer="nesterov", learning_rate=0.05, dropout=0.2, averaging=0.0),
    dataclasses.replace(
        CONFIG, optimizer="rmsprop", batch_size=0, schedule="step", decay_epochs=1, warm_up=1
    ),
    dataclasses.replace(CONFIG, optimizer="adamw", weight_decay=0.01, l1=1e-4, l2=1e-3, patience=3),
    dataclasses.replace(
        CONFIG, optimizer="sgd", batch_size=1, momentum=0, learning_rate=0.01, activation="sigmoid", epochs=2
    ),
]


@pytest.mark.parametrize("config", VARIANTS, ids=lambda config: config.optimizer)
def test_seed_determines_the_weights(config: TrainingConfig) -> None:
    first, second = trained(config), trained(config)
    assert np.array_equal(first.best.vector, second.best.vector)
    assert first.history == second.history
    other = trained(dataclasses.replace(config, seed=6))
    assert not np.array_equal(first.best.vector, other.best.vector)


def test_threads_keep_every_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = []
    for bound in (0, 1e12):
        monkeypatch.setattr("trainer.training.step.WORTH_A_THREAD", bound)
        vectors.append(trained(CONFIG).best.vector)
    assert np.array_equal(*vectors)


@pytest.mark.parametrize("config", VARIANTS, ids=lambda config: config.optimizer)
@pytest.mark.parametrize("stop", [1, 2])
def test_resuming_ends_with_the_same_weights(config: TrainingConfig, stop: int, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "checkpoint.npz"
    task = task_of(config)

    def interrupt(state: TrainingState) -> None:
        write_checkpoint(path, state, config, {"data": "1"})
        if state.epoch == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(initial_state(config, task.inputs, task.outputs), task, config, on_epoch=interrupt)
    state = initial_state(config, task.inputs, task.outputs)
    read_checkpoint(path, state, config, {"data": "1"})
    assert state.epoch == stop
    resumed, whole = train(state, task, config), trained(config)
    assert np.array_equal(resumed.best.vector, whole.best.vector)
    assert np.array_equal(resumed.parameters.vector, whole.parameters.vector)
    assert resumed.history == whole.history


def test_interrupt_within_an_epoch_resumes_exactly(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    task = task_of(CONFIG)
    batches = itertools.count()

    def interrupt(rows: int) -> None:
        if next(batches) == 7:  # five batches an epoch: in the middle of the second
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            initial_state(CONFIG, task.inputs, task.outputs),
            task,
            CONFIG,
            interrupt,
            lambda state: write_checkpoint(path, state, CONFIG, {}),
        )
    state = initial_state(CONFIG, task.inputs, task.outputs)
    read_checkpoint(path, state, CONFIG, {})
    assert state.epoch == 1
    assert np.array_equal(train(state, task, CONFIG).best.vector, trained(CONFIG).best.vector)


def checkpoint(path: Path) -> None:
    write_checkpoint(path, initial_state(CONFIG, 784, 10), CONFIG, {"data": "1"})


def assert_not_resumed(path: Path, config: TrainingConfig, sources: dict[str, str], complaint: str) -> None:
    with pytest.raises(TrainerError, match=complaint):
        read_checkpoint(path, initial_state(config, 784, 10), config, sources)


def test_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path / "c.npz")
    other = dataclasses.replace(CONFIG, learning_rate=0.002)
    assert_not_resumed(tmp_path / "c.npz", other, {"data": "1"}, "was written with other settings")


def test_checkpoint_of_other_data_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path / "c.npz")
    assert_not_resumed(tmp_path / "c.npz", CONFIG, {"data": "2"}, "was written with other data")


@pytest.mark.parametrize("keep", [0, 10, 1000, -1])
def test_truncated_checkpoint_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "c.npz"
    checkpoint(path)
    path.write_bytes(path.read_bytes()[:keep])
    assert_not_resumed(path, CONFIG, {"data": "1"}, "cannot be read: .* Train without --resume")


def test_full_disk_keeps_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.npz"
    checkpoint(path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(TrainerError, match=r"No space left on device\. Make room and --resume"):
        checkpoint(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_diverging_loss_is_one_line(optimizer: str) -> None:
    config = dataclasses.replace(
        CONFIG, optimizer=optimizer, learning_rate=1e30, output="linear", loss="mean_squared_error", epochs=20
    )
    with pytest.raises(TrainerError, match=r"the loss became (nan|inf) in epoch \d+\. Lower --learning-rate"):
        trained(config)


def test_patience_stops_early_and_keeps_the_best_epoch() -> None:
    config = dataclasses.replace(
        CONFIG, epochs=60, patience=3, learning_rate=0.05, schedule="constant", averaging=0.0, batch_size=8
    )
    state = trained(config)
    losses = [entry["validation_loss"] for entry in state.history]
    assert state.epoch < 60
    assert len(losses) - 1 - int(np.argmin(losses)) == 3
    shorter = trained(dataclasses.replace(config, epochs=int(np.argmin(losses)) + 1))
    assert np.array_equal(state.best.vector, shorter.parameters.vector)


def test_best_epoch_survives_a_resume(tmp_path: Path) -> None:
    config = dataclasses.replace(
        CONFIG, epochs=60, patience=3, learning_rate=0.05, schedule="constant", averaging=0.0, batch_size=8
    )
    path, task, whole = tmp_path / "checkpoint.npz", task_of(config), trained(config)

    def interrupt(state: TrainingState) -> None:
        write_checkpoint(path, state, config, {})
        if state.epoch == whole.epoch - 1:  # two epochs after the best
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(initial_state(config, task.inputs, task.outputs), task, config, on_epoch=interrupt)
    state = initial_state(config, task.inputs, task.outputs)
    read_checkpoint(path, state, config, {})
    assert np.array_equal(train(state, task, config).best.vector, whole.best.vector)


def test_epochs_since_the_best_are_counted() -> None:
    history = [{"validation_loss": loss} for loss in (3, 2, 2.5, 2.2)]
    assert epochs_since_best(history) == 2
    assert epochs_since_best([]) == 0
    assert epochs_since_best([{"loss": 1}]) == 0
    state = initial_state(dataclasses.replace(CONFIG, epochs=100, patience=2), 784, 10)
    state.epoch, state.history = 4, history
    assert finished(state, dataclasses.replace(CONFIG, epochs=100, patience=2))
    assert not finished(state, dataclasses.replace(CONFIG, epochs=100, patience=3))


def test_every_epoch_visits_each_example_once() -> None:
    config = dataclasses.replace(CONFIG, augmentation=Augmentation(share=0, normalized_share=0))
    epochs = [list(epoch_batches(EXAMPLES, MNIST_GEOMETRY, config, epoch)) for epoch in (0, 0, 1)]
    pixels = [np.concatenate([batch[0] for batch in epoch]) for epoch in epochs]
    assert [len(batch[0]) for batch in epochs[0]] == [32, 32, 32, 32, 22]
    assert np.array_equal(pixels[0], pixels[1])
    assert not np.array_equal(pixels[0], pixels[2])
    everything = np.sort(EXAMPLES.pixels.sum(axis=1))
    for one in pixels:
        assert np.array_equal(np.sort(one.sum(axis=1)), everything)


def test_half_of_each_batch_is_extra_and_undistorted() -> None:
    extra = Examples(np.full((40, 28, 28), 0.25, np.float32), np.full(40, 7))
    extra.pictures[:, 0, 0] = np.arange(40) / 100  # tells them apart
    config = dataclasses.replace(CONFIG, input_offset=0.25)
    epochs = [list(epoch_batches(EXAMPLES, MNIST_GEOMETRY, config, n, extra=extra)) for n in (0, 0, 1)]
    assert [len(pixels) for pixels, _ in epochs[0]] == [64, 64, 64, 64, 44]
    for pixels, targets in epochs[0]:
        half = len(pixels) // 2
        assert np.array_equal(pixels[half:, 1:], np.zeros((half, 783), np.float32))
        assert targets[half:].argmax(axis=1).tolist() == [7] * half
    seen = [np.concatenate([pixels[len(pixels) // 2 :, 0] for pixels, _ in epoch]) for epoch in epochs]
    assert len(np.unique(seen[0][:40])) == 40
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])


def test_repeated_views_are_the_same_whatever_the_memory() -> None:
    config = dataclasses.replace(CONFIG, views=2)
    roomy, full = ViewCache(), ViewCache(limit_bytes=40 * 784)  # one batch of 32 fits, the next does not
    epochs = {}
    for name, cache in (("roomy", roomy), ("full", full)):
        for epoch in (0, 1, 2):
            batches = list(epoch_batches(EXAMPLES, MNIST_GEOMETRY, config, epoch, cache=cache))
            epochs[name, epoch] = np.concatenate([pixels for pixels, _ in batches])
    assert [len(roomy.batches), len(full.batches)] == [10, 1]
    assert sum(batch.nbytes for batch in roomy.batches.values()) == 2 * 150 * 784
    assert np.array_equal(epochs["roomy", 0], epochs["roomy", 2])
    assert not np.array_equal(epochs["roomy", 0], epochs["roomy", 1])
    for epoch in (0, 1, 2):
        assert np.array_equal(epochs["roomy", epoch], epochs["full", epoch])
    fresh = np.concatenate([pixels for pixels, _ in epoch_batches(EXAMPLES, MNIST_GEOMETRY, config, 0)])
    assert epochs["roomy", 0] == pytest.approx(fresh, abs=0.51 / 255)


def test_epoch_with_extra_pictures_is_scored_by_all_rows() -> None:
    dataset = dataclasses.replace(DATASET, extra=EXAMPLES)
    task = digits_task(dataset, EXAMPLES, VALIDATION, CONFIG)
    rows: list[int] = []
    config = dataclasses.replace(CONFIG, learning_rate=1e-9, epochs=1)
    state = train(initial_state(config, task.inputs, task.outputs), task, config, rows.append)
    assert sum(rows) == 2 * len(EXAMPLES)
    assert state.history[0]["loss"] == pytest.approx(np.log(10), abs=0.15)


def test_batches_carry_offset_and_smoothed_targets() -> None:
    config = dataclasses.replace(
        CONFIG,
        input_offset=0.25,
        label_smoothing=0.1,
        batch_size=0,
        augmentation=Augmentation(share=0, normalized_share=0),
    )
    ((pixels, targets),) = epoch_batches(EXAMPLES, MNIST_GEOMETRY, config, 0)
    assert pixels.min() == -0.25
    assert targets.sum(axis=1) == pytest.approx(np.ones(150))
    assert sorted(set(targets.ravel().tolist())) == pytest.approx([0.01, 0.91])
    assert pixels.dtype == targets.dtype == np.float32
