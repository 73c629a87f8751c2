"""Recipes and flags become one validated configuration.

NAME.toml or a file -> values <- flags -> checked against each setting's type and limits -> TrainingConfig
"""

import argparse
import dataclasses
import tomllib
import types
import typing
from pathlib import Path
from typing import Any

from trainer.data import Augmentation
from trainer.errors import UsageError
from trainer.nn import OUTPUTS_OF
from trainer.training import TrainingConfig

RECIPES = Path(__file__).parent
RECIPE_OF = {"digits": "digits-8x8", "sqrt-mean": "sqrt-mean", "two-classes": "two-classes"}


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def default_recipe(dataset: str) -> str:
    """Return the recipe for a data set."""
    return RECIPE_OF.get(dataset, "mnist-28x28")


def default_name(dataset: str, recipe: str) -> str:
    """Return the model's name: the recipe's, with the name of another data set in place of mnist."""
    stem = Path(recipe).stem
    return stem.replace("mnist", dataset) if dataset in ("fashion", "folder") else stem


def load_config(recipe: str, flags: argparse.Namespace) -> TrainingConfig:
    """Return the hyper-parameters of a recipe; flags that are not None replace them.

    recipe: a name in trainer/recipes, or a TOML file with the tables [training] and [augmentation]. Raises
    UsageError for a missing or broken file, unknown names and values out of range.
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


def _merge(cls: type, table: dict[str, Any], flags: argparse.Namespace, path: Path) -> dict[str, Any]:
    """Return checked values for a configuration class, from a recipe's table and the flags."""
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
    """Return a value if it has the type and limits of a setting; raise UsageError if not."""
    name, limits = item.name, item.metadata
    if isinstance(kind, types.GenericAlias):
        if not isinstance(value, tuple) or not all(isinstance(one, int) and one > 0 for one in value):
            raise UsageError(f"{name} is {value!r}; whole numbers above 0 are expected, or just 0 for none")
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
