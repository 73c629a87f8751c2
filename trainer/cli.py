"""The commands behind `python -m trainer`.

argv -> parser -> one function a command -> exit code

0 done; 1 failed; 2 the same command would end the same way again: wrong usage, or the gate refused
the model. A Kubernetes Job tries again after a 1 and not after a 2.
"""

import argparse
import dataclasses
import json
import re
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import threadpoolctl

from service.artifact import ArtifactError, load, parse, save
from service.classifier import Classifier
from trainer import run
from trainer.committee import load_committee
from trainer.conditions import try_conditions
from trainer.config import TrainingConfig, add_flags, config_from, load_config, recipe_names
from trainer.convolution import SUFFIX
from trainer.data import load_dataset
from trainer.errors import RefusedError, TrainerError, UsageError
from trainer.evaluate import evaluate, figures_of_twin, generated_refusals, picture_refusals
from trainer.export import JUDGE_SETTINGS
from trainer.fetch import MNIST_MIRRORS, fetch_mnist
from trainer.publish import (
    DEFAULT_MAXIMUM_DROP,
    DEFAULT_MINIMUM_ACCURACY,
    Gate,
    Images,
    held_out_images,
    publish,
)
from trainer.tables import TABLES
from trainer.teach import CHANNELS, TEACHER_SETTINGS, teach
from trainer.text import (
    artifact_text,
    conditions_text,
    evaluation_text,
    refusals_text,
    table_text,
    versions_text,
)
from trainer.versions import rollback, versions

DATASETS = ("digits", "mnist", "fashion", "folder")
NON_DIGITS = "non-digits"


def main(argv: list[str]) -> int:
    """Run one command and return its exit code; a failure is one line on stderr."""
    arguments = build_parser().parse_args(argv)
    arguments.argv = argv
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        # The order of a sum decides its last bits: with one BLAS thread it is the same on any machine,
        # and both cores are kept busy at a higher level (trainer/step.py).
        with threadpoolctl.threadpool_limits(1, "blas"):
            return arguments.command(arguments)
    except (UsageError, RefusedError) as error:
        print(f"trainer: {error}.", file=sys.stderr)
        return 2
    except (TrainerError, ArtifactError) as error:
        print(f"trainer: {error}.", file=sys.stderr)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"trainer: {where}{error.strerror or error}.", file=sys.stderr)
    except MemoryError:
        print("trainer: out of memory. Use fewer --hidden units or a smaller --batch-size.", file=sys.stderr)
    except KeyboardInterrupt:
        print("trainer: interrupted; the same command with --resume goes on.", file=sys.stderr)
    return 1


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Let SIGTERM end a command the way Ctrl-C does."""
    raise KeyboardInterrupt


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m trainer", description="Train and check digit models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a model and publish it if it passes the gate")
    _add_dataset(train, (*DATASETS, *TABLES))
    _add_training(train)
    train.set_defaults(command=_train)

    distill = commands.add_parser("distill", help="train one small model on the answers of several")
    _add_dataset(distill)
    distill.add_argument(
        "--teachers", type=Path, required=True, metavar="DIR", help="folder with the teachers' model files"
    )
    _add_training(distill)
    distill.set_defaults(command=_train)

    _add_teacher(commands.add_parser("teach", help="train a convolutional network that teaches in distill"))

    score = commands.add_parser("evaluate", help="measure a model on a data set")
    score.add_argument("artefact", type=Path, metavar="ARTEFACT", help="a model file, NAME.npz")
    _add_dataset(score, (*DATASETS, NON_DIGITS))
    score.add_argument("--distorted", action="store_true", help="other light, pens, sizes ... instead")
    score.add_argument("--split", choices=("test", "train", "all"), default="test", help="default: test")
    score.add_argument("--json", action="store_true", help="print JSON instead of tables")
    score.add_argument("--pictures", type=Path, metavar="DIR", help="also write plots and mistakes as PNG")
    score.set_defaults(command=_evaluate)

    again = commands.add_parser("cross-validate", help="train on several random splits of digits")
    again.add_argument("dataset", choices=("digits",), metavar="DATASET", help="digits")
    again.add_argument("--recipe", default="digits-8x8", help="default: digits-8x8")
    again.add_argument("--splits", type=int, default=10, help="how many; default 10")
    again.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_flags(again)
    again.set_defaults(command=_cross_validate)

    judge = commands.add_parser("judge", help="fit what refuses non-digits anew, without training again")
    judge.add_argument("artefact", type=Path, metavar="ARTEFACT", help="a model file, NAME.npz")
    _add_dataset(judge)
    _add_judge_settings(judge)
    _add_gate(judge, required=True)
    judge.set_defaults(command=_judge)

    _add_fetch(commands.add_parser("fetch", help="download a data set"))

    gate = commands.add_parser("publish", help="check a model file and move it into place")
    gate.add_argument("artefact", type=Path, metavar="ARTEFACT", help="a model file, NAME.npz")
    gate.add_argument(
        "--data", type=Path, metavar="DIR", help="folder with the data set, to measure on its test images"
    )
    _add_gate(gate, required=True)
    gate.set_defaults(command=_publish)

    back = commands.add_parser("rollback", help="let the version before serve again")
    _add_versions(back)
    back.add_argument(
        "--version", metavar="VERSION", help="one of those that `versions` lists; default: the one before"
    )
    back.set_defaults(command=_rollback)

    listed = commands.add_parser("versions", help="list the versions that a folder keeps of a model")
    _add_versions(listed)
    listed.set_defaults(command=_versions)
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
    parser.set_defaults(command=_teach)


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", choices=("mnist",), metavar="DATASET", help="mnist")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where the four files go")
    parser.add_argument(
        "--mirror", action="append", metavar="URL", help=f"instead of {' and '.join(MNIST_MIRRORS)}"
    )
    parser.set_defaults(command=_fetch)


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


def _train(arguments: argparse.Namespace) -> int:
    recipe = arguments.recipe or run.default_recipe(arguments.dataset)
    name = arguments.name or run.default_name(arguments.dataset, recipe)
    config = load_config(recipe, arguments)
    session = _session(arguments, name)
    if arguments.dataset in TABLES:
        return _train_table(arguments, config, session)
    dataset = load_dataset(arguments.dataset, arguments.data, split_seed=config.split_seed)
    folder = getattr(arguments, "teachers", None)
    teachers = load_committee(folder, dataset.geometry) if folder else None
    trained = run.train_model(dataset, config, session, teachers)
    if arguments.report:
        from trainer.report import write_report  # matplotlib is slow to import

        write_report(arguments.report, trained.measured, dataset, config, trained.state.history)
    if arguments.no_publish:
        print(artifact_text(parse(trained.content), f"trained {name}, published nothing"))
    else:
        images = held_out_images(dataset.name, arguments.data, config.split_seed, dataset)
        _publish_bytes(trained.content, name, arguments, images)
    session.forget()
    return 0


def _session(arguments: argparse.Namespace, name: str) -> run.Session:
    return run.Session(
        name,
        run.command_line(arguments, arguments.argv),
        arguments.checkpoint or Path("checkpoints") / f"{name}.npz",
        arguments.resume,
        arguments.quiet,
        arguments.log_json,
    )


def _teach(arguments: argparse.Namespace) -> int:
    name = arguments.name or Path(arguments.recipe).stem
    config = load_config(arguments.recipe, arguments)
    session = _session(arguments, name)
    dataset = load_dataset(arguments.dataset, arguments.data, split_seed=config.split_seed)
    content = teach(dataset, config, arguments.channels, session)
    path = arguments.to / f"{name}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, content)
    session.forget()
    print(f"wrote the teacher {path}")
    return 0


def _train_table(arguments: argparse.Namespace, config: TrainingConfig, session: run.Session) -> int:
    """Train on rows of numbers; nothing is published, because the service answers digits."""
    figures, parameters, state = run.train_table(arguments.dataset, config, session)
    if arguments.report:
        from trainer.report import write_table_report  # matplotlib is slow to import

        write_table_report(arguments.report, arguments.dataset, parameters, config, state.history)
    session.checkpoint.unlink(missing_ok=True)
    print(table_text(arguments.dataset, figures, len(state.history)))
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    artifact = load(arguments.artefact)
    classifier = Classifier(artifact)
    if arguments.dataset == NON_DIGITS:
        return _evaluate_non_digits(arguments, classifier)
    split_seed = artifact.metadata["training"].get("config", {}).get("split_seed", 0)
    dataset = load_dataset(arguments.dataset, arguments.data, artifact.geometry, split_seed)
    examples = run.choose_split(dataset, arguments.split)
    title = f"{arguments.artefact} on {arguments.dataset}, {arguments.split}"
    if "test" in figures_of_twin(artifact) and dataset.name == artifact.metadata["training"]["dataset"]:
        title += " (learnt in training: how good it is on others, its card says)"
    if arguments.distorted:
        outcomes = try_conditions(classifier, examples)
        figures: dict[str, Any] = {name: one._asdict() for name, one in outcomes.items()}
        _print(arguments, classifier, figures, conditions_text(outcomes, title))
        return 0
    evaluation = evaluate(classifier, examples)
    _print(arguments, classifier, evaluation.as_json(), evaluation_text(evaluation, title))
    if arguments.pictures:
        from trainer.pictures import write_pictures  # matplotlib is slow to import

        write_pictures(arguments.pictures, classifier, examples, evaluation)
    return 0


def _evaluate_non_digits(arguments: argparse.Namespace, classifier: Classifier) -> int:
    """Print the shares of non-digits that are refused: those in a folder or file, or generated ones."""
    data = arguments.data
    refusals = picture_refusals(classifier, data) if data else generated_refusals(classifier)
    title = f"{arguments.artefact} on {'images of' if data else 'generated'} non-digits"
    figures = {kind: one._asdict() for kind, one in refusals.items()}
    _print(arguments, classifier, figures, refusals_text(refusals, title))
    return 0


def _print(arguments: argparse.Namespace, classifier: Classifier, figures: dict[str, Any], text: str) -> None:
    """Print figures as JSON or as text, whichever was asked for."""
    named = {"model": classifier.artifact.version, "split": arguments.split, **figures}
    print(json.dumps(named, indent=2) if arguments.json else text)


def _cross_validate(arguments: argparse.Namespace) -> int:
    if arguments.splits < 2:
        raise UsageError(f"--splits is {arguments.splits}; at least 2 are needed for a spread")
    config = load_config(arguments.recipe, arguments)
    errors = run.cross_validate(config, arguments.splits)
    print(json.dumps(errors) if arguments.json else run.spread_text(errors))
    return 0


def _judge(arguments: argparse.Namespace) -> int:
    model = load(arguments.artefact)
    config = config_from(model.metadata["training"].get("config", {}))
    given = {name: getattr(arguments, name) for name in JUDGE_SETTINGS}
    config = dataclasses.replace(config, **{name: n for name, n in given.items() if n is not None})
    dataset = load_dataset(arguments.dataset, arguments.data, model.geometry, config.split_seed)
    content = run.judge_again(model, config, dataset)
    name = arguments.artefact.name.removesuffix(".npz")
    images = held_out_images(dataset.name, arguments.data, config.split_seed, dataset)
    _publish_bytes(content, name, arguments, images)
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    fetch_mnist(arguments.to, arguments.mirror or MNIST_MIRRORS)
    print(f"MNIST is complete in {arguments.to}.")
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    arguments.artefact.stat()  # a file that is missing was not refused
    name = arguments.artefact.name.removesuffix(".npz")
    try:
        artifact = load(arguments.artefact)
    except ArtifactError as error:
        raise RefusedError(f"{name} was not published: {error}") from error
    training = artifact.metadata["training"]
    dataset, split_seed = training.get("dataset"), training.get("config", {}).get("split_seed", 0)
    if arguments.data and dataset not in DATASETS:
        raise UsageError(f"{name} was trained on {dataset!r}, which no --data can hold")
    known = dataset == "digits" or arguments.data
    images = held_out_images(dataset, arguments.data, split_seed) if known else None
    _publish_bytes(arguments.artefact.read_bytes(), name, arguments, images)
    return 0


def _publish_bytes(content: bytes, name: str, arguments: argparse.Namespace, images: Images | None) -> None:
    gate = Gate(arguments.minimum_accuracy, arguments.maximum_drop, images)
    artifact = publish(content, name, arguments.to, gate, arguments.keep)
    print(artifact_text(artifact, f"published {arguments.to / name}.npz"))
    if arguments.keep:
        print(versions_text(versions(arguments.to, name)))


def _rollback(arguments: argparse.Namespace) -> int:
    artifact = rollback(arguments.folder, arguments.name, arguments.version)
    print(f"rolled back {arguments.folder / arguments.name}.npz to {artifact.version}")
    print(versions_text(versions(arguments.folder, arguments.name)))
    return 0


def _versions(arguments: argparse.Namespace) -> int:
    print(versions_text(versions(arguments.folder, arguments.name)))
    return 0
