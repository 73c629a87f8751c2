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


def fields_of(settings: Any) -> dict[str, FieldInfo]:
    """Return the fields of a settings class by name: their types, limits and descriptions."""
    return dict(settings.__pydantic_fields__)


def add_flags(parser: argparse.ArgumentParser, names: Container[str] | None = None) -> None:
    """Add a flag for each field of the settings, None by default so that the recipe's value applies.

    names: the wanted ones of TrainingConfig, None for all; the flags of Augmentation are always added.
    """
    for cls, title in ((TrainingConfig, "training"), (Augmentation, "augmentation")):
        group = parser.add_argument_group(f"{title} (defaults come from the recipe)")
        for name, setting in fields_of(cls).items():
            if name == "augmentation" or (cls is TrainingConfig and names and name not in names):
                continue
            flag, kind = f"--{name.replace('_', '-')}", setting.annotation
            if kind is bool:
                group.add_argument(
                    flag, action=argparse.BooleanOptionalAction, default=None, help=setting.description
                )
            elif typing.get_origin(kind) is typing.Literal:
                group.add_argument(flag, choices=typing.get_args(kind), help=setting.description)
            else:
                convert: Any = _integers if typing.get_origin(kind) is tuple else kind
                metavar = name.rpartition("_")[2].upper()
                group.add_argument(flag, type=convert, metavar=metavar, help=setting.description)


def _integers(text: str) -> tuple[int, ...]:
    values = tuple(int(part) for part in text.split(","))
    return () if values == (0,) else values
