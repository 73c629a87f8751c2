"""Hyper-parameters: one frozen dataclass, read from a recipe, changed by flags, kept in the artefact.

recipe (TOML) <- flags -> TrainingConfig -> train, and whole into the metadata
"""

import argparse
import dataclasses
import tomllib
import types
import typing
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.model.network import ACTIVATIONS
from trainer.data.augmentation import Augmentation
from trainer.errors import UsageError
from trainer.nn.losses import ANY_OUTPUT, OUTPUTS_OF

RECIPES = Path(__file__).parent.parent / "recipes"


def _setting(default: Any, help: str, **extra: Any) -> Any:
    return field(default=default, metadata={"help": help, **extra})


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that, with the data, decides the weights."""

    hidden: tuple[int, ...] = _setting((128,), "units of each hidden layer, such as 1000,500; 0 for none")
    activation: str = _setting("relu", "activation of the hidden layers", choices=tuple(ACTIVATIONS))
    output: str = _setting("softmax", "activation of the outputs", choices=ANY_OUTPUT)
    loss: str = _setting("cross_entropy", "what is made small", choices=tuple(OUTPUTS_OF))
    initialization: str = _setting(
        "auto", "size of the first weights; auto: by activation", choices=("auto", "he", "glorot", "plain")
    )
    epochs: int = _setting(20, "passes over the training images", lowest=1)
    batch_size: int = _setting(128, "images per gradient step; 0 for all of them", lowest=0)
    optimizer: str = _setting(
        "adam", "how gradients change weights", choices=("adam", "adamw", "nesterov", "rmsprop", "sgd")
    )
    learning_rate: float = _setting(0.001, "highest learning rate", lowest=0)
    schedule: str = _setting(
        "cosine", "how the learning rate falls", choices=("constant", "step", "exponential", "cosine")
    )
    warm_up: float = _setting(0.0, "epochs over which the learning rate rises from 0", lowest=0)
    decay: float = _setting(0.5, "factor of schedules step and exponential", lowest=0, highest=1)
    decay_epochs: float = _setting(10.0, "epochs after which that factor applies", lowest=1e-3)
    momentum: float = _setting(0.9, "momentum of sgd and nesterov", lowest=0, highest=1)
    weight_decay: float = _setting(
        0.0, "share of each weight lost per step at rate 1, apart from the gradient (AdamW)", lowest=0
    )
    l1: float = _setting(0.0, "factor of the sum of absolute weights in the loss", lowest=0)
    l2: float = _setting(0.0, "factor of half the sum of squared weights in the loss", lowest=0)
    dropout: float = _setting(0.0, "share of the hidden units silenced in each step", lowest=0, highest=0.95)
    patience: int = _setting(
        0, "stop after so many epochs without a lower validation loss, keep the best; 0: never", lowest=0
    )
    threshold: float = _setting(
        0.5, "output from which a single yes-or-no output means yes", lowest=0, highest=1
    )
    soft_share: float = _setting(
        0.9,
        "distill: share of the teachers' answer in the target; the label has the rest",
        highest=1,
        lowest=0,
    )
    soft_temperature: float = _setting(
        1.0, "distill: divides the logits of teachers and student in the loss", lowest=0.1, highest=100
    )
    averaging: float = _setting(0.999, "decay of the average of the weights; 0 for none", lowest=0, highest=1)
    label_smoothing: float = _setting(0.0, "share of the target spread over all digits", lowest=0, highest=1)
    validation: float = _setting(
        0.1, "share of the training images held out to choose by", lowest=0, highest=0.9
    )
    drawn: int = _setting(
        0, "digits drawn stroke by stroke that join the training images, in the ways MNIST lacks", lowest=0
    )
    views: int = _setting(
        0,
        "epochs after which the same distortions come again (teachers answer each once); 0: never",
        lowest=0,
    )
    input_offset: float = _setting(0.0, "subtracted from the pixels, folded into the biases when published")
    outliers: int = _setting(
        16000, "pictures of what is no digit, for the judge that refuses such; 0 for no judge", lowest=0
    )
    judge_units: int = _setting(192, "units of the judge's hidden layer", lowest=1)
    refused_share: float = _setting(
        0.02,
        "share of held-out digits, half of them distorted, that the judge may refuse",
        lowest=0,
        highest=1,
    )
    refit: bool = _setting(
        False, "publish a second network, trained on all images, with the figures of the first"
    )
    seed: int = _setting(0, "decides first weights, order and distortion", lowest=0)
    split_seed: int = _setting(
        0, "decides which images are held out, for validation and (digits, folder) for the test", lowest=0
    )
    augmentation: Augmentation = field(default_factory=Augmentation)


def add_flags(parser: argparse.ArgumentParser, names: Container[str] | None = None) -> None:
    """Add one flag for each hyper-parameter, unset by default so that the recipe shows through.

    names: those of the training that are wanted, where it is not all; of distortion it always is.
    """
    for cls, title in ((TrainingConfig, "training"), (Augmentation, "augmentation")):
        group = parser.add_argument_group(f"{title} (defaults are those of the recipe)")
        for item in dataclasses.fields(cls):
            if item.name == "augmentation" or (cls is TrainingConfig and names and item.name not in names):
                continue
            flag = f"--{item.name.replace('_', '-')}"
            if isinstance(item.default, bool):
                group.add_argument(
                    flag, action=argparse.BooleanOptionalAction, default=None, help=item.metadata["help"]
                )
                continue
            group.add_argument(
                flag,
                type=_parser(cls, item),
                choices=item.metadata.get("choices"),
                metavar=None if item.metadata.get("choices") else item.name.rpartition("_")[2].upper(),
                help=item.metadata["help"],
            )


def _parser(cls: type, item: dataclasses.Field) -> Any:
    kind = typing.get_type_hints(cls)[item.name]
    return _integers if isinstance(kind, types.GenericAlias) else kind


def _integers(text: str) -> tuple[int, ...]:
    values = tuple(int(part) for part in text.split(","))
    return () if values == (0,) else values


def config_from(values: Mapping[str, Any]) -> TrainingConfig:
    """Return the hyper-parameters in an artefact's metadata; those it is too old to know get defaults."""
    kept: dict[type, dict[str, Any]] = {}
    for cls, given in ((TrainingConfig, values), (Augmentation, values.get("augmentation", {}))):
        names = {item.name for item in dataclasses.fields(cls)} - {"augmentation"}
        kept[cls] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if name in names
        }
    return TrainingConfig(**kept[TrainingConfig], augmentation=Augmentation(**kept[Augmentation]))


def load_config(recipe: str, flags: argparse.Namespace) -> TrainingConfig:
    """Return the recipe's hyper-parameters with those flags that were given on top.

    recipe: a name in trainer/recipes or a TOML file with the tables [training] and
    [augmentation]. Raises UsageError for unknown names and values out of range.
    """
    path = Path(recipe) if recipe.endswith(".toml") else RECIPES / f"{recipe}.toml"
    try:
        tables = tomllib.loads(path.read_text())
    except OSError as error:
        names = ", ".join(recipe_names())
        raise UsageError(
            f"no recipe {recipe!r}: {error.strerror}. Recipes: {names}, or a .toml file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    unknown = set(tables) - {"training", "augmentation"}
    if unknown:
        raise UsageError(f"{path}: unknown table {sorted(unknown)[0]!r}; use [training] and [augmentation]")
    training = _merge(TrainingConfig, tables.get("training", {}), flags, path)
    augmentation = _merge(Augmentation, tables.get("augmentation", {}), flags, path)
    config = TrainingConfig(**training, augmentation=Augmentation(**augmentation))
    if config.output not in OUTPUTS_OF[config.loss]:
        fitting = ", ".join(OUTPUTS_OF[config.loss])
        raise UsageError(f"the loss {config.loss} needs probabilities: output {fitting}, not {config.output}")
    return config


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def _merge(cls: type, table: dict[str, Any], flags: argparse.Namespace, path: Path) -> dict[str, Any]:
    known = {item.name: item for item in dataclasses.fields(cls) if item.name != "augmentation"}
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise UsageError(f"{path}: unknown setting {name!r}; known are {', '.join(known)}")
        values[name] = tuple(value) if isinstance(value, list) else value
    for name in known:
        if getattr(flags, name, None) is not None:
            values[name] = getattr(flags, name)
    kinds = typing.get_type_hints(cls)
    for name, value in values.items():
        values[name] = _checked(known[name], kinds[name], value)
    return values


def _checked(item: dataclasses.Field, kind: Any, value: Any) -> Any:
    name, limits = item.name, item.metadata
    if isinstance(kind, types.GenericAlias):
        if not isinstance(value, tuple) or not all(isinstance(one, int) and one > 0 for one in value):
            raise UsageError(f"{name} is {value!r}; whole numbers above 0 are expected, or 0 alone for none")
        return value
    if kind is float and isinstance(value, int):
        value = float(value)
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise UsageError(f"{name} is {value!r}; a value of type {kind.__name__} is expected")
    choices = limits.get("choices")
    if choices and value not in choices:
        raise UsageError(f"{name} is {value!r}; one of {', '.join(choices)} is expected")
    lowest, highest = limits.get("lowest", float("-inf")), limits.get("highest", float("inf"))
    if kind is not str and not lowest <= value <= highest:
        raise UsageError(f"{name} is {value!r}; a number from {lowest:g} to {highest:g} is expected")
    return value
