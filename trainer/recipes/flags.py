"""The flags of the command line, made from the settings classes, so that they are listed only once.

TrainingConfig, Augmentation -> a flag for each field, with its type, choices and description
"""

import argparse
import typing
from collections.abc import Container
from typing import Any

from pydantic.fields import FieldInfo

from trainer.data import Augmentation
from trainer.training import TrainingConfig

# What a flag takes, where the last word of its name does not say it.
METAVARS = {"averaging": "DECAY", "warm_up": "EPOCHS", "validation": "SHARE", "drawn": "N", "outliers": "N"}


def fields_of(settings: Any) -> dict[str, FieldInfo]:
    """Return the fields of a settings class by name: their types, limits and descriptions."""
    return dict(settings.__pydantic_fields__)


def add_flags(parser: argparse.ArgumentParser, names: Container[str] | None = None) -> None:
    """Add a flag for each field of the settings, None by default so that the recipe's value applies.

    names: the wanted ones of TrainingConfig, None for all; the flags of Augmentation are always added.
    """
    groups: dict[str, dict[str, FieldInfo]] = {}
    for name, setting in fields_of(TrainingConfig).items():
        if name != "augmentation" and (names is None or name in names):
            extra: Any = setting.json_schema_extra
            groups.setdefault(extra["group"], {})[name] = setting
    for title, members in groups.items():
        _add_group(parser, title, members)
    _add_group(parser, "augmentation", fields_of(Augmentation))


def _add_group(parser: argparse.ArgumentParser, title: str, fields: dict[str, FieldInfo]) -> None:
    group = parser.add_argument_group(f"{title} (defaults come from the recipe)")
    for name, setting in fields.items():
        flag, kind = f"--{name.replace('_', '-')}", setting.annotation
        if kind is bool:
            group.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=None, help=setting.description
            )
        elif typing.get_origin(kind) is typing.Literal:
            choices = typing.get_args(kind)
            text = f"{setting.description} ({', '.join(choices)})"
            group.add_argument(flag, choices=choices, metavar="NAME", help=text)
        else:
            convert: Any = _integers if typing.get_origin(kind) is tuple else kind
            metavar = METAVARS.get(name, name.rpartition("_")[2].upper())
            group.add_argument(flag, type=convert, metavar=metavar, help=setting.description)


def _integers(text: str) -> tuple[int, ...]:
    values = tuple(int(part) for part in text.split(","))
    return () if values == (0,) else values
