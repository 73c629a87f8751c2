"""Recipes and flags become one validated configuration.

NAME.toml or a file -> values <- flags -> TrainingConfig, which checks itself
"""

import argparse
import dataclasses
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainer.data import CLASS_TABLES, Augmentation
from trainer.errors import UsageError, settings_error
from trainer.training import TrainingConfig

RECIPES = Path(__file__).parent
RECIPE_OF = {
    "digits": "digits-8x8",
    "sqrt-mean": "sqrt-mean",
    **dict.fromkeys(CLASS_TABLES, "two-classes"),
    "spiral": "spiral",
}


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def default_recipe(dataset: str) -> str:
    """Return the recipe for a data set."""
    return RECIPE_OF.get(dataset, "mnist-28x28")


def default_name(dataset: str, recipe: str) -> str:
    """Return the model's name: the recipe's, with the name of another data set in place of mnist.

    Tables that share a recipe keep their own names.
    """
    if dataset in CLASS_TABLES and recipe == default_recipe(dataset):
        return dataset
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
    try:
        return TrainingConfig(**training, augmentation=Augmentation(**augmentation))
    except ValidationError as error:
        raise UsageError(settings_error(error)) from error


def _merge(cls: type, table: dict[str, Any], flags: argparse.Namespace, path: Path) -> dict[str, Any]:
    """Return values for a configuration class, from a recipe's table and the flags."""
    known = [item.name for item in dataclasses.fields(cls) if item.name != "augmentation"]
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise UsageError(f"{path}: unknown setting {name!r}; known are {', '.join(known)}")
        values[name] = tuple(value) if isinstance(value, list) else value
    given = {name: getattr(flags, name, None) for name in known}
    return values | {name: value for name, value in given.items() if value is not None}
