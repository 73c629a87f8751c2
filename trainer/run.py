"""What the commands do, in the order they do it.

Dataset, TrainingConfig -> split -> train with checkpoints and a progress bar -> export -> bytes
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from tqdm import tqdm

from trainer.checkpoint import read_checkpoint, write_checkpoint
from trainer.config import TrainingConfig
from trainer.data import Dataset, Examples, hold_out, load_dataset
from trainer.errors import TrainerError
from trainer.export import export
from trainer.train import TrainingState, begin, judge, train

RECIPE_OF = {"digits": "digits-8x8"}


def default_recipe(dataset: str) -> str:
    """Return the recipe that suits a data set."""
    return RECIPE_OF.get(dataset, "mnist-28x28")


def default_name(dataset: str, recipe: str) -> str:
    """Return the model's name: the recipe's, unless another data set is trained with it."""
    stem = Path(recipe).stem
    return stem.replace("mnist", dataset) if dataset in ("fashion", "folder") else stem


def command_line(arguments: argparse.Namespace, argv: list[str]) -> str:
    """Return the command for `argv`, less what names this machine or does not change the weights."""
    skip = {"--data", "--to", "--checkpoint", "--minimum-accuracy"}
    words: list[str] = []
    given = iter(argv)
    for word in given:
        flag = word.split("=", 1)[0]
        if flag in skip:
            if "=" not in word:
                next(given, None)
        elif word not in ("--resume", "--quiet"):
            words.append(word)
    data = " --data DIR" if arguments.data else ""
    return f"python -m trainer {' '.join(words)}{data}"


def train_model(
    dataset: Dataset,
    config: TrainingConfig,
    name: str,
    command: str,
    checkpoint: Path,
    resume: bool = False,
    quiet: bool = False,
) -> bytes:
    """Train on a data set and return the bytes of the model file.

    A checkpoint is written before the first and after every epoch. Raises TrainerError.
    """
    examples, validation = hold_out(dataset.train, config.validation, config.seed)
    if not len(examples):
        raise TrainerError(f"{dataset.name} has no training image left after the validation split")
    inputs = dataset.geometry.side**2
    if resume and checkpoint.exists():
        state = read_checkpoint(checkpoint, config, dataset.sources, inputs)
    else:
        state = begin(config, inputs)
        write_checkpoint(checkpoint, state, config, dataset.sources)
    with _progress(len(examples), config, state, name, quiet) as bar:

        def on_epoch(state: TrainingState) -> None:
            write_checkpoint(checkpoint, state, config, dataset.sources)
            latest = state.history[-1]
            bar.set_postfix_str(_postfix(latest))

        train(state, examples, validation, dataset.geometry, config, bar.update, on_epoch)
    return export(state.best, config, dataset, examples, validation, command)


def _progress(images: int, config: TrainingConfig, state: TrainingState, name: str, quiet: bool) -> tqdm:
    return tqdm(
        total=images * config.epochs,
        initial=images * state.epoch,
        desc=name,
        unit=" images",
        unit_scale=True,
        disable=quiet,
        dynamic_ncols=True,
    )


def _postfix(latest: dict[str, float]) -> str:
    text = f"epoch {latest['epoch']}, loss {latest['loss']:.4f}"
    if "validation_accuracy" in latest:
        text += f", validation {100 * latest['validation_accuracy']:.2f} %"
    return text


def choose_split(dataset: Dataset, split: str) -> Examples:
    """Return the test or training examples, or both."""
    if split == "test":
        return dataset.test
    if split == "train":
        return dataset.train
    return Examples(
        np.concatenate((dataset.train.pictures, dataset.test.pictures)),
        np.concatenate((dataset.train.labels, dataset.test.labels)),
    )


def cross_validate(config: TrainingConfig, splits: int) -> list[float]:
    """Return the test error, 0 to 1, on each of several random splits of digits, one network each.

    Nothing is chosen on the held-out fifths; each network ends where its recipe ends.
    """
    errors = []
    for split in tqdm(range(splits), desc="splits", unit=" split"):
        dataset = load_dataset("digits", None, split_seed=split)
        examples, validation = hold_out(dataset.train, config.validation, config.seed)
        one = dataclasses.replace(config, split_seed=split)
        state = begin(one, dataset.geometry.side**2)
        train(state, examples, validation, dataset.geometry, one)
        errors.append(1 - judge(state.best, dataset.test, one)["validation_accuracy"])
    return errors


def spread_text(errors: list[float]) -> str:
    """Return the errors of several splits as text, with mean and standard deviation."""
    listed = "  ".join(f"{100 * error:.2f}" for error in errors)
    return (
        f"test error of {len(errors)} random splits, %: {listed}\n"
        f"mean {100 * np.mean(errors):.2f} %, standard deviation {100 * np.std(errors, ddof=1):.2f} points"
    )
