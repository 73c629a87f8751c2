"""The command line of `python -m trainer`: commands, arguments and their help.

argv -> build_parser -> Namespace with the command's name and its options
"""

import argparse
import re
from pathlib import Path

from trainer.data import COLUMNS, DATASETS, MNIST_MIRRORS, ROWS, TABLES
from trainer.overview import OVERVIEW, PURPOSES, TRAIN_EXAMPLES
from trainer.recipes import add_flags, fields_of, recipe_names
from trainer.training import REJECTOR_SETTINGS, TEACHER_CHANNELS, TEACHER_SETTINGS, TrainingConfig

NON_DIGITS = "non-digits"
DEFAULT_MINIMUM_ACCURACY = 0.95


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; the parsed arguments hold the chosen one's name in `command`."""
    parser = argparse.ArgumentParser(
        prog="python -m trainer",
        usage="%(prog)s COMMAND [options]",
        description=OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # The overview lists the commands in groups, which argparse cannot.
    commands = parser.add_subparsers(
        required=True, dest="command", metavar="COMMAND", prog="python -m trainer", help=argparse.SUPPRESS
    )

    def command(name: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, description=f"{PURPOSES[name].capitalize()}.")

    train = commands.add_parser(
        "train",
        usage="python -m trainer train DATASET [options]",
        description=TRAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_dataset(train, (*DATASETS, *TABLES))
    _add_training(train)
    train.add_argument("--rows", type=int, default=ROWS, help=f"rows of a table; default {ROWS}")
    train.add_argument("--columns", type=int, default=COLUMNS, help=f"of sqrt-mean; default {COLUMNS}")

    distill = command("distill")
    _add_dataset(distill)
    distill.add_argument(
        "--teachers", type=Path, required=True, metavar="DIR", help="folder with the teachers' model files"
    )
    _add_training(distill)

    _add_teacher(command("teach"))

    predict = command("predict")
    _add_artifact(predict)
    predict.add_argument(
        "images", type=Path, nargs="+", metavar="IMAGE", help="PNG, JPEG, WebP, BMP, GIF or TIFF"
    )
    predict.add_argument("--json", action="store_true", help="print one JSON object per line")

    _add_evaluate(command("evaluate"))

    cross = command("cross-validate")
    cross.add_argument("dataset", choices=("digits",), metavar="DATASET", help="digits")
    cross.add_argument("--recipe", default="writers-8x8", help="default: writers-8x8")
    cross.add_argument(
        "--by", choices=("random", "writer"), default="random", help="what is held out; default: random"
    )
    cross.add_argument("--splits", type=int, default=5, help="number of random folds; default 5")
    _add_mnist(cross)
    cross.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_flags(cross)

    rejector = command("judge")
    _add_artifact(rejector)
    _add_dataset(rejector)
    _add_mnist(rejector)
    _add_rejector_settings(rejector)
    _add_gate(rejector, required=True)

    onnx = command("export")
    _add_artifact(onnx)
    onnx.add_argument("--to", type=Path, required=True, metavar="FILE", help="FILE.onnx")

    _add_search(command("search"))
    _add_fetch(command("fetch"))
    _add_publish(command("publish"))

    rollback = command("rollback")
    _add_versions(rollback)
    rollback.add_argument(
        "--version", metavar="VERSION", help="one of those that `versions` lists; default: the one before"
    )

    _add_versions(command("remove"))
    _add_versions(command("versions"))
    return parser


def _add_evaluate(score: argparse.ArgumentParser) -> None:
    _add_artifact(score)
    _add_dataset(score, (*DATASETS, NON_DIGITS))
    score.add_argument("--distorted", action="store_true", help="measure under other light, pens, sizes ...")
    score.add_argument(
        "--read",
        action="store_true",
        help="measure whole numbers: pictures in --data named after them, or composed of the data's digits",
    )
    score.add_argument(
        "--digits", type=int, default=0, metavar="N", help="digits in each composed number; default 2 to 8"
    )
    score.add_argument("--split", choices=("test", "train", "all"), default="test", help="default: test")
    score.add_argument("--json", action="store_true", help="print JSON instead of tables")
    score.add_argument("--pictures", type=Path, metavar="DIR", help="also write plots and mistakes as PNG")


def _add_artifact(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT", help="a model file, NAME.npz")


def _add_dataset(parser: argparse.ArgumentParser, names: tuple[str, ...] = DATASETS) -> None:
    parser.add_argument("dataset", choices=names, metavar="DATASET", help=", ".join(names))
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with the files of mnist, fashion or folder; for non-digits also an .npz of pictures",
    )


def _add_mnist(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with-mnist",
        type=Path,
        metavar="DIR",
        help="with digits or folder: MNIST's training pictures as half of each batch; DIR has its files",
    )


def _add_rejector_settings(parser: argparse.ArgumentParser) -> None:
    for name in REJECTOR_SETTINGS:
        kind = float if fields_of(TrainingConfig)[name].annotation is float else int
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=kind, metavar="N", help="default: the model's"
        )


def _add_training(parser: argparse.ArgumentParser) -> None:
    _add_mnist(parser)
    parser.add_argument("--recipe", help=f"hyper-parameters: {', '.join(recipe_names())}, or a .toml file")
    parser.add_argument("--name", type=_name, help="name of the model; default: that of the recipe")
    _add_gate(parser)
    parser.add_argument("--no-publish", action="store_true", help="the default, without --to")
    parser.add_argument(
        "--report-test", action="store_true", help="also show the figures on the test images: look once"
    )
    _add_session(parser, report=True)
    add_flags(parser)


def _add_teacher(parser: argparse.ArgumentParser) -> None:
    _add_dataset(parser)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder of teachers")
    parser.add_argument("--recipe", default="convolution-28x28", help="default: convolution-28x28")
    parser.add_argument("--name", type=_name, help="name of the teacher; default: that of the recipe")
    channels = ",".join(map(str, TEACHER_CHANNELS))
    parser.add_argument(
        "--channels",
        type=_channels,
        default=TEACHER_CHANNELS,
        help=f"width of each pair of convolutions; default {channels}",
    )
    _add_session(parser)
    add_flags(parser, TEACHER_SETTINGS)


def _add_publish(parser: argparse.ArgumentParser) -> None:
    _add_artifact(parser)
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the data set, to measure on its validation images"
    )
    _add_gate(parser, required=True)
    parser.add_argument(
        "--without-notes",
        action="store_true",
        help="leave out NAME.notes.md from the card if it is about another version, instead of refusing",
    )


def _add_search(parser: argparse.ArgumentParser) -> None:
    _add_dataset(parser)
    _add_mnist(parser)
    parser.add_argument("--recipe", help="settings that trials share; default: that of the data set")
    parser.add_argument(
        "--trials", type=int, default=20, metavar="N", help="trials of all processes together; default 20"
    )
    parser.add_argument(
        "--storage", metavar="URL", help="for several processes or machines; default: SQLite in runs/search"
    )
    parser.add_argument("--study", type=_name, metavar="NAME", help="name of the study; default: DATASET")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="default runs")
    add_flags(parser)


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", choices=("mnist",), metavar="DATASET", help="mnist")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder for the four files")
    parser.add_argument(
        "--mirror", action="append", metavar="URL", help=f"instead of {' and '.join(MNIST_MIRRORS)}"
    )


def _add_session(parser: argparse.ArgumentParser, report: bool = False) -> None:
    files = parser.add_argument_group("files and progress")
    files.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where NAME/ is made; default runs"
    )
    files.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="default runs/NAME/checkpoints/NAME.npz"
    )
    files.add_argument(
        "--resume",
        action="store_true",
        help="continue from the checkpoint if there is one, also with more --epochs than before",
    )
    files.add_argument("--quiet", action="store_true", help="show no progress")
    files.add_argument(
        "--log-json",
        type=Path,
        metavar="FILE",
        help="append a JSON line per epoch to FILE; default runs/NAME/log.jsonl",
    )
    if report:
        files.add_argument("--report", type=Path, metavar="DIR", help="default runs/NAME/report")
        files.add_argument(
            "--no-report", action="store_true", help="write no report, which takes some seconds"
        )


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name: use letters, digits, dots, dashes and underscores"
        )
    return text


def _channels(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", text):
        raise argparse.ArgumentTypeError(f"{text!r}; numbers above 0, separated by commas, are expected")
    return tuple(int(number) for number in text.split(","))


def _add_gate(parser: argparse.ArgumentParser, required: bool = False) -> None:
    gate = parser.add_argument_group("publishing")
    gate.add_argument(
        "--to",
        type=Path,
        required=required,
        metavar="DIR",
        help="where to publish" + ("" if required else ", if the gate lets it pass; default: nowhere"),
    )
    gate.add_argument(
        "--minimum-accuracy",
        type=float,
        default=DEFAULT_MINIMUM_ACCURACY,
        metavar="SHARE",
        help=f"validation accuracy below which nothing is published; default {DEFAULT_MINIMUM_ACCURACY}",
    )
    gate.add_argument(
        "--maximum-drop",
        type=float,
        metavar="SHARE",
        help="how far validation accuracy may be below that of the model in DIR; default: a standard error "
        "of the difference; 1: do not compare",
    )
    gate.add_argument(
        "--allow-missing-digits",
        action="store_true",
        help="publish a model that has not seen every digit",
    )
    gate.add_argument(
        "--keep",
        type=_kept,
        default=0,
        metavar="N",
        help="keep N versions, at least 2, for `rollback`; default 0: plain files",
    )


def _kept(text: str) -> int:
    if not text.isdigit() or int(text) == 1:
        raise argparse.ArgumentTypeError(f"{text!r} versions; 0, or at least 2, are possible")
    return int(text)


def _add_versions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=_name, metavar="NAME", help="the model, for instance digits-8x8")
    parser.add_argument("--in", dest="folder", type=Path, required=True, metavar="DIR", help="its folder")
