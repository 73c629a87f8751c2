"""What can be typed after `python -m trainer`.

argv -> build_parser -> Namespace with the command's name and its options
"""

import argparse
import re
from pathlib import Path

from trainer.data.fetch import MNIST_MIRRORS
from trainer.data.tables import TABLES
from trainer.distillation.teach import CHANNELS, TEACHER_SETTINGS
from trainer.publishing.export import JUDGE_SETTINGS
from trainer.publishing.gate import DEFAULT_MAXIMUM_DROP, DEFAULT_MINIMUM_ACCURACY
from trainer.training.config import add_flags, recipe_names

DATASETS = ("digits", "mnist", "fashion", "folder")
NON_DIGITS = "non-digits"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `command` is the name of the one that was given."""
    parser = argparse.ArgumentParser(prog="python -m trainer", description="Train and check digit models.")
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")

    train = commands.add_parser("train", help="train a model and publish it if it passes the gate")
    _add_dataset(train, (*DATASETS, *TABLES))
    _add_training(train)

    distill = commands.add_parser("distill", help="train one small model on the answers of several")
    _add_dataset(distill)
    distill.add_argument(
        "--teachers", type=Path, required=True, metavar="DIR", help="folder with the teachers' model files"
    )
    _add_training(distill)

    _add_teacher(commands.add_parser("teach", help="train a convolutional network that teaches in distill"))

    score = commands.add_parser("evaluate", help="measure a model on a data set")
    score.add_argument("artefact", type=Path, metavar="ARTEFACT", help="a model file, NAME.npz")
    _add_dataset(score, (*DATASETS, NON_DIGITS))
    score.add_argument("--distorted", action="store_true", help="other light, pens, sizes ... instead")
    score.add_argument("--split", choices=("test", "train", "all"), default="test", help="default: test")
    score.add_argument("--json", action="store_true", help="print JSON instead of tables")
    score.add_argument("--pictures", type=Path, metavar="DIR", help="also write plots and mistakes as PNG")

    again = commands.add_parser("cross-validate", help="train on several random splits of digits")
    again.add_argument("dataset", choices=("digits",), metavar="DATASET", help="digits")
    again.add_argument("--recipe", default="digits-8x8", help="default: digits-8x8")
    again.add_argument("--splits", type=int, default=10, help="how many; default 10")
    again.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_flags(again)

    judge = commands.add_parser("judge", help="fit what refuses non-digits anew, without training again")
    judge.add_argument("artefact", type=Path, metavar="ARTEFACT", help="a model file, NAME.npz")
    _add_dataset(judge)
    _add_judge_settings(judge)
    _add_gate(judge, required=True)

    _add_fetch(commands.add_parser("fetch", help="download a data set"))

    gate = commands.add_parser("publish", help="check a model file and move it into place")
    gate.add_argument("artefact", type=Path, metavar="ARTEFACT", help="a model file, NAME.npz")
    gate.add_argument(
        "--data", type=Path, metavar="DIR", help="folder with the data set, to measure on its test images"
    )
    _add_gate(gate, required=True)

    back = commands.add_parser("rollback", help="let the version before serve again")
    _add_versions(back)
    back.add_argument(
        "--version", metavar="VERSION", help="one of those that `versions` lists; default: the one before"
    )

    listed = commands.add_parser("versions", help="list the versions that a folder keeps of a model")
    _add_versions(listed)
    return parser


def _add_dataset(parser: argparse.ArgumentParser, names: tuple[str, ...] = DATASETS) -> None:
    parser.add_argument("dataset", choices=names, metavar="DATASET", help=", ".join(names))
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with the files of mnist, fashion or folder; of non-digits also an .npz of pictures",
    )


def _add_judge_settings(parser: argparse.ArgumentParser) -> None:
    for name in JUDGE_SETTINGS:
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=int, metavar="N", help="default: as many as the model had")


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", help=f"hyper-parameters: {', '.join(recipe_names())}, or a .toml file")
    parser.add_argument("--name", type=_name, help="name of the model; by default that of the recipe")
    _add_gate(parser)
    parser.add_argument("--no-publish", action="store_true", help="only train and say how good it became")
    _add_session(parser)
    parser.add_argument("--report", type=Path, metavar="DIR", help="write DIR/report.html and its pictures")
    add_flags(parser)


def _add_teacher(parser: argparse.ArgumentParser) -> None:
    _add_dataset(parser)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder of teachers")
    parser.add_argument("--recipe", default="convolution-28x28", help="default: convolution-28x28")
    parser.add_argument("--name", type=_name, help="name of the teacher; by default that of the recipe")
    parser.add_argument(
        "--channels", type=_channels, default=CHANNELS, help="of each pair of convolutions; default 16,32,64"
    )
    _add_session(parser)
    add_flags(parser, TEACHER_SETTINGS)


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", choices=("mnist",), metavar="DATASET", help="mnist")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where the four files go")
    parser.add_argument(
        "--mirror", action="append", metavar="URL", help=f"instead of {' and '.join(MNIST_MIRRORS)}"
    )


def _add_session(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="default checkpoints/NAME.npz")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, if there is one")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--log-json", type=Path, metavar="FILE", help="add a JSON line per epoch to FILE")


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name: letters, digits, dots, dashes and underscores"
        )
    return text


def _channels(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", text):
        raise argparse.ArgumentTypeError(f"{text!r}; numbers above 0 with commas between are expected")
    return tuple(int(number) for number in text.split(","))


def _add_gate(parser: argparse.ArgumentParser, required: bool = False) -> None:
    parser.add_argument(
        "--to",
        type=Path,
        default=None if required else Path("models"),
        required=required,
        metavar="DIR",
        help="where to publish" + ("" if required else "; default models"),
    )
    parser.add_argument(
        "--minimum-accuracy",
        type=float,
        default=DEFAULT_MINIMUM_ACCURACY,
        metavar="SHARE",
        help=f"test accuracy below which nothing is published; default {DEFAULT_MINIMUM_ACCURACY}",
    )

    parser.add_argument(
        "--maximum-drop",
        type=float,
        default=DEFAULT_MAXIMUM_DROP,
        metavar="SHARE",
        help="how far test accuracy may be below that of the model in DIR on the same test images; "
        f"1: do not compare; default {DEFAULT_MAXIMUM_DROP}",
    )
    parser.add_argument(
        "--keep",
        type=_kept,
        default=0,
        metavar="N",
        help="keep N versions beside each other, at least 2, for `rollback`; default 0: plain files",
    )


def _kept(text: str) -> int:
    if not text.isdigit() or int(text) == 1:
        raise argparse.ArgumentTypeError(f"{text!r} versions; 0, or 2 and more are possible")
    return int(text)


def _add_versions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=_name, metavar="NAME", help="the model, for instance digits-8x8")
    parser.add_argument("--in", dest="folder", type=Path, required=True, metavar="DIR", help="where it lies")
