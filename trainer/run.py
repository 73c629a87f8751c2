"""What the commands do, in the order they do it.

Dataset, TrainingConfig -> split -> train with checkpoints and a progress bar -> export -> bytes
"""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from service.model.artifact import Artifact, parse
from trainer.data.datasets import Dataset, Examples, hold_out, load_dataset
from trainer.data.tables import Table, load_table, table_task
from trainer.distillation.committee import Committee
from trainer.errors import TrainerError, UsageError
from trainer.nn.losses import activate, loss_and_gradient
from trainer.nn.parameters import Parameters
from trainer.publishing.export import export, export_again, export_refit
from trainer.synthetic.digits import draw_digits
from trainer.training.batches import digits_task
from trainer.training.checkpoint import read_checkpoint, write_checkpoint
from trainer.training.config import TrainingConfig
from trainer.training.loop import Task, TrainingState, begin, correct, judge, logits, train
from trainer.training.progress import Progress

DRAWN = 0x64726177  # sets the drawn digits' chance apart from that of epochs and thresholds
RECIPE_OF = {"digits": "digits-8x8", "sqrt-mean": "sqrt-mean", "two-classes": "two-classes"}


def default_recipe(dataset: str) -> str:
    """Return the recipe that suits a data set."""
    return RECIPE_OF.get(dataset, "mnist-28x28")


def default_name(dataset: str, recipe: str) -> str:
    """Return the model's name: the recipe's, unless another data set is trained with it."""
    stem = Path(recipe).stem
    return stem.replace("mnist", dataset) if dataset in ("fashion", "folder") else stem


def command_line(arguments: argparse.Namespace, argv: list[str]) -> str:
    """Return the command for `argv`, less what names this machine or does not change the weights."""
    skip = {"--data", "--to", "--checkpoint", "--report", "--log-json", "--teachers"}
    skip |= {"--minimum-accuracy", "--maximum-drop", "--keep"}
    words: list[str] = []
    given = iter(argv)
    for word in given:
        flag = word.split("=", 1)[0]
        if flag in skip:
            if "=" not in word:
                next(given, None)
        elif word not in ("--resume", "--quiet", "--no-publish"):
            words.append(word)
    for flag in ("data", "teachers"):
        if getattr(arguments, flag, None):
            words += [f"--{flag}", "DIR"]
    return f"python -m trainer {' '.join(words)}"


@dataclass(frozen=True)
class Session:
    """Where a training keeps what it may need again, and how it tells what it does."""

    name: str
    command: str
    checkpoint: Path
    resume: bool = False
    quiet: bool = False
    log: Path | None = None

    @property
    def again(self) -> "Session":
        """The session of the second training, on all images, with a checkpoint of its own."""
        checkpoint = self.checkpoint.with_name(f"{self.checkpoint.stem}-refit.npz")
        return dataclasses.replace(self, name=f"{self.name}, all images", checkpoint=checkpoint)

    def forget(self) -> None:
        """Remove the checkpoints of a training that is done."""
        for one in (self, self.again):
            one.checkpoint.unlink(missing_ok=True)


class Trained(NamedTuple):
    """What a training made.

    content: the bytes of the model file. measured: those of the network whose figures count, which is
    another one after a refit. state: how the training of that one went.
    """

    content: bytes
    measured: bytes
    state: TrainingState


def train_model(
    dataset: Dataset, config: TrainingConfig, session: Session, teachers: Committee | None = None
) -> Trained:
    """Train on a data set, and again on all of it where the configuration says so.

    A checkpoint is written before the first and after every epoch of either training. Raises
    TrainerError.
    """
    if config.refit and config.patience:
        raise UsageError("refit leaves no held-out examples for patience to judge by: set --patience 0")
    examples, validation = hold_out(dataset.train, config.validation, config.split_seed)
    if not len(examples):
        raise TrainerError(f"{dataset.name} has no training image left after the validation split")
    if teachers:
        dataset = dataclasses.replace(dataset, sources=dataset.sources | teachers.sources)
    task = digits_task(dataset, with_drawn(examples, dataset, config), validation, config, teachers)
    state = run_task(task, config, session, dataset.sources)
    del task  # and with it the drawn digits and their copy of the others
    measured = export(state.best, config, dataset, examples, validation, session.command)
    if not config.refit:
        return Trained(measured, measured, state)
    if teachers:
        teachers.forget()
    everything, nothing = with_drawn(dataset.everything, dataset, config), validation.take(np.arange(0))
    task = digits_task(dataset, everything, nothing, config, teachers)
    final = run_task(task, config, session.again, dataset.sources)
    return Trained(export_refit(final.best, config, dataset, parse(measured)), measured, state)


def with_drawn(examples: Examples, dataset: Dataset, config: TrainingConfig) -> Examples:
    """Return the examples followed by the drawn digits that the configuration asks for."""
    if not config.drawn:
        return examples
    rng = np.random.default_rng((config.seed, DRAWN))
    return examples + draw_digits(config.drawn, dataset.geometry, rng)


def judge_again(model: Artifact, config: TrainingConfig, dataset: Dataset) -> bytes:
    """Return the bytes of the model file with the same network and a new judge and thresholds.

    Raises TrainerError if the data set is not that on which the model was trained.
    """
    sources = model.metadata["training"].get("sources", {})
    if not dataset.sources.items() <= sources.items():
        raise TrainerError(
            f"the model was not trained on this {dataset.name}. Give the data it was trained on"
        )
    return export_again(model, config, dataset)


def run_task(task: Task, config: TrainingConfig, session: Session, sources: dict[str, str]) -> TrainingState:
    """Train, from the session's checkpoint where it asks for that, and show the progress."""
    if config.patience and not len(task.held_out[0]):
        raise UsageError("patience needs held-out examples to judge by: set --validation above 0")
    state = begin(config, task.inputs, task.outputs)
    if session.resume and session.checkpoint.exists():
        read_checkpoint(session.checkpoint, state, config, sources)
    else:
        write_checkpoint(session.checkpoint, state, config, sources)
    with Progress(
        session.name, task.examples, config.epochs, state.epoch, quiet=session.quiet, log=session.log
    ) as progress:

        def on_epoch(state: TrainingState) -> None:
            write_checkpoint(session.checkpoint, state, config, sources)
            progress.epoch(state.history[-1])

        return train(state, task, config, progress.batch, on_epoch)


def train_table(
    name: str, config: TrainingConfig, session: Session
) -> tuple[dict[str, float], Parameters, TrainingState]:
    """Train on rows of numbers and return the figures on the test rows, and the parameters."""
    fit, held_out, test = load_table(name, config)
    task = table_task(fit, held_out, config)
    state = run_task(task, config, session, {name: "made from the seed"})
    return table_figures(state.best, test, config), state.best, state


def table_figures(parameters: Parameters, test: Table, config: TrainingConfig) -> dict[str, float]:
    """Return the loss, and the accuracy of yes-or-no answers or the error of quantities."""
    found = logits(parameters, test.inputs)
    losses, _ = loss_and_gradient(config.loss, config.output, found, test.targets)
    outputs = activate(config.output, found)
    right = correct(outputs, test.targets, config)
    figures = {"rows": float(len(found)), "loss": float(losses.mean(dtype=np.float64))}
    if right is not None:
        yes, truly = outputs[:, 0] >= config.threshold, test.targets[:, 0] >= 0.5
        both = float(np.count_nonzero(yes & truly))
        return figures | {
            "accuracy": float(right.mean()),
            "precision": both / max(int(np.count_nonzero(yes)), 1),
            "recall": both / max(int(np.count_nonzero(truly)), 1),
        }
    return figures | {
        "root mean squared error": float(np.sqrt(np.mean((outputs - test.targets) ** 2))),
        "largest error": float(np.abs(outputs - test.targets).max()),
    }


def choose_split(dataset: Dataset, split: str) -> Examples:
    """Return the test or training examples, or both."""
    if split == "test":
        return dataset.test
    if split == "train":
        return dataset.train
    return dataset.train + dataset.test


def cross_validate(config: TrainingConfig, splits: int) -> list[float]:
    """Return the test error, 0 to 1, on each of several random splits of digits, one network each.

    Each network learns all of the other four fifths. Nothing is chosen on the held-out one; training
    ends where the recipe ends.
    """
    errors = []
    for split in tqdm(range(splits), desc="splits", unit=" split"):
        dataset = load_dataset("digits", None, split_seed=split)
        one = dataclasses.replace(config, split_seed=split)
        task = digits_task(dataset, dataset.train, dataset.test.take(np.arange(0)), one)
        state = train(begin(one, task.inputs, task.outputs), task, one)
        tested = digits_task(dataset, dataset.train, dataset.test, one)
        errors.append(1 - judge(state.best, tested, one)["validation_accuracy"])
    return errors


def spread_text(errors: list[float]) -> str:
    """Return the errors of several splits as text, with mean and standard deviation."""
    listed = "  ".join(f"{100 * error:.2f}" for error in errors)
    return (
        f"test error of {len(errors)} random splits, %: {listed}\n"
        f"mean {100 * np.mean(errors):.2f} %, standard deviation {100 * np.std(errors, ddof=1):.2f} points"
    )
