"""The commands behind `python -m trainer`.

argv -> parser -> one function per command -> exit code

0: done. 1: failed. 2: the same command would fail again, because of wrong usage or because the gate refused
the model. A Kubernetes Job retries after a 1, not after a 2.
"""

import argparse
import dataclasses
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import threadpoolctl

from service.model.artifact import ArtifactError, load, parse, save
from service.model.classifier import Classifier
from trainer.data import DATASETS, MNIST_MIRRORS, TABLES, fetch_mnist, load_dataset
from trainer.distillation import load_committee, train_teacher
from trainer.errors import FAILURES, RefusedError, UsageError, failure
from trainer.evaluation import (
    conditions_text,
    cross_validate,
    evaluate,
    evaluation_text,
    generated_refusals,
    picture_refusals,
    refusals_text,
    spread_text,
    table_text,
    try_conditions,
)
from trainer.parser import NON_DIGITS, build_parser
from trainer.pipeline import refit_rejector, train_model
from trainer.publishing import (
    Gate,
    Images,
    artifact_text,
    held_out_images,
    list_versions,
    publish,
    rollback,
    versions_text,
)
from trainer.recipes import default_name, default_recipe, load_config
from trainer.training import (
    CONVOLUTION_SUFFIX,
    REJECTOR_SETTINGS,
    Session,
    TrainingConfig,
    config_from,
    figures_of_twin,
    train_table,
)

# Flags that name this machine or do not change the weights, with and without a value.
LOCAL_OPTIONS = {
    *("--data", "--to", "--checkpoint", "--report", "--log-json", "--teachers"),
    *("--minimum-accuracy", "--maximum-drop", "--keep"),
}
LOCAL_SWITCHES = {"--resume", "--quiet", "--no-publish"}


def main(argv: list[str]) -> int:
    """Run one command and return its exit code; a failure prints one line on stderr."""
    arguments = build_parser().parse_args(argv)
    arguments.argv = argv
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        # The order of a sum decides its last bits. One BLAS thread gives the same order on every machine;
        # trainer/training/step.py keeps both cores busy at a higher level.
        with threadpoolctl.threadpool_limits(1, "blas"):
            return COMMANDS[arguments.command](arguments)
    except FAILURES as error:
        code, line = failure(error)
        print(f"trainer: {line}", file=sys.stderr)
        return code


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Make SIGTERM end a command like Ctrl-C."""
    raise KeyboardInterrupt


def _train(arguments: argparse.Namespace) -> int:
    recipe = arguments.recipe or default_recipe(arguments.dataset)
    name = arguments.name or default_name(arguments.dataset, recipe)
    config = load_config(recipe, arguments)
    session = _session(arguments, name)
    if arguments.dataset in TABLES:
        return _train_table(arguments, config, session)
    dataset = load_dataset(arguments.dataset, arguments.data, split_seed=config.split_seed)
    folder = getattr(arguments, "teachers", None)
    teachers = load_committee(folder, dataset.geometry) if folder else None
    trained = train_model(dataset, config, session, teachers)
    if arguments.report:
        from trainer.evaluation.report import write_report  # matplotlib.figure is slow to import

        write_report(arguments.report, trained.measured, dataset, config, trained.state.history)
    if arguments.no_publish:
        print(artifact_text(parse(trained.content), f"trained {name}, published nothing"))
    else:
        images = held_out_images(dataset.name, arguments.data, config.split_seed, dataset)
        _publish_bytes(trained.content, name, arguments, images)
    session.remove_checkpoints()
    return 0


def command_line(arguments: argparse.Namespace, argv: list[str]) -> str:
    """Return the command to repeat a training, without LOCAL_OPTIONS and LOCAL_SWITCHES."""
    words: list[str] = []
    given = iter(argv)
    for word in given:
        flag = word.split("=", 1)[0]
        if flag in LOCAL_OPTIONS:
            if "=" not in word:
                next(given, None)
        elif word not in LOCAL_SWITCHES:
            words.append(word)
    for flag in ("data", "teachers"):
        if getattr(arguments, flag, None):
            words += [f"--{flag}", "DIR"]
    return f"python -m trainer {' '.join(words)}"


def _session(arguments: argparse.Namespace, name: str) -> Session:
    return Session(
        name,
        command_line(arguments, arguments.argv),
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
    content = train_teacher(dataset, config, arguments.channels, session)
    path = arguments.to / f"{name}{CONVOLUTION_SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, content)
    session.remove_checkpoints()
    print(f"wrote the teacher {path}")
    return 0


def _train_table(arguments: argparse.Namespace, config: TrainingConfig, session: Session) -> int:
    """Train on rows of numbers; nothing is published, because the service answers only digits."""
    figures, parameters, state = train_table(arguments.dataset, config, session)
    if arguments.report:
        from trainer.evaluation.report import write_table_report  # matplotlib.figure is slow to import

        write_table_report(arguments.report, arguments.dataset, parameters, config, state.history)
    session.checkpoint.unlink(missing_ok=True)
    print(table_text(arguments.dataset, figures, len(state.history)))
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    artifact = load(arguments.artifact)
    classifier = Classifier(artifact)
    if arguments.dataset == NON_DIGITS:
        return _evaluate_non_digits(arguments, classifier)
    training = artifact.metadata["training"]
    split_seed = training.get("config", {}).get("split_seed", 0)
    dataset = load_dataset(arguments.dataset, arguments.data, artifact.geometry, split_seed)
    examples = dataset.part(arguments.split)
    title = f"{arguments.artifact} on {arguments.dataset}, {arguments.split}"
    if "test" in figures_of_twin(training) and dataset.name == training["dataset"]:
        title += " (learned in training; see its card for the error on new images)"
    if arguments.distorted:
        outcomes = try_conditions(classifier, examples)
        figures: dict[str, Any] = {name: one._asdict() for name, one in outcomes.items()}
        _print(arguments, classifier, figures, conditions_text(outcomes, title))
        return 0
    evaluation = evaluate(classifier, examples)
    _print(arguments, classifier, evaluation.as_json(), evaluation_text(evaluation, title))
    if arguments.pictures:
        from trainer.evaluation.answer_plots import write_pictures  # matplotlib.figure is slow to import

        write_pictures(arguments.pictures, classifier, examples, evaluation)
    return 0


def _evaluate_non_digits(arguments: argparse.Namespace, classifier: Classifier) -> int:
    """Print the shares of non-digits that are refused: those in a folder or file, or generated ones."""
    data = arguments.data
    refusals = picture_refusals(classifier, data) if data else generated_refusals(classifier)
    title = f"{arguments.artifact} on {'images of' if data else 'generated'} non-digits"
    figures = {kind: one._asdict() for kind, one in refusals.items()}
    _print(arguments, classifier, figures, refusals_text(refusals, title))
    return 0


def _print(arguments: argparse.Namespace, classifier: Classifier, figures: dict[str, Any], text: str) -> None:
    """Print figures as JSON with --json, else as text."""
    named = {"model": classifier.artifact.version, "split": arguments.split, **figures}
    print(json.dumps(named, indent=2) if arguments.json else text)


def _cross_validate(arguments: argparse.Namespace) -> int:
    if arguments.splits < 2:
        raise UsageError(f"--splits is {arguments.splits}; at least 2 are needed for a spread")
    config = load_config(arguments.recipe, arguments)
    errors = cross_validate(config, arguments.splits)
    print(json.dumps(errors) if arguments.json else spread_text(errors))
    return 0


def _refit_rejector(arguments: argparse.Namespace) -> int:
    model = load(arguments.artifact)
    config = config_from(model.metadata["training"].get("config", {}))
    given = {name: getattr(arguments, name) for name in REJECTOR_SETTINGS}
    config = dataclasses.replace(config, **{name: n for name, n in given.items() if n is not None})
    dataset = load_dataset(arguments.dataset, arguments.data, model.geometry, config.split_seed)
    content = refit_rejector(model, config, dataset)
    images = held_out_images(dataset.name, arguments.data, config.split_seed, dataset)
    _publish_bytes(content, _model_name(arguments.artifact), arguments, images)
    return 0


def _model_name(path: Path) -> str:
    return path.name.removesuffix(".npz")


def _fetch(arguments: argparse.Namespace) -> int:
    fetch_mnist(arguments.to, arguments.mirror or MNIST_MIRRORS)
    print(f"MNIST is complete in {arguments.to}.")
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    arguments.artifact.stat()  # a missing file is a failure, not a refusal
    name = _model_name(arguments.artifact)
    try:
        artifact = load(arguments.artifact)
    except ArtifactError as error:
        raise RefusedError(f"{name} was not published: {error}") from error
    training = artifact.metadata["training"]
    dataset, split_seed = training.get("dataset"), training.get("config", {}).get("split_seed", 0)
    if arguments.data and dataset not in DATASETS:
        raise UsageError(f"{name} was trained on {dataset!r}, which --data cannot provide")
    known = dataset == "digits" or arguments.data
    images = held_out_images(dataset, arguments.data, split_seed) if known else None
    _publish_bytes(arguments.artifact.read_bytes(), name, arguments, images)
    return 0


def _publish_bytes(content: bytes, name: str, arguments: argparse.Namespace, images: Images | None) -> None:
    gate = Gate(arguments.minimum_accuracy, arguments.maximum_drop, images)
    artifact = publish(content, name, arguments.to, gate, arguments.keep)
    print(artifact_text(artifact, f"published {arguments.to / name}.npz"))
    if arguments.keep:
        print(versions_text(list_versions(arguments.to, name)))


def _rollback(arguments: argparse.Namespace) -> int:
    artifact = rollback(arguments.folder, arguments.name, arguments.version)
    print(f"rolled back {arguments.folder / arguments.name}.npz to {artifact.version}")
    print(versions_text(list_versions(arguments.folder, arguments.name)))
    return 0


def _versions(arguments: argparse.Namespace) -> int:
    print(versions_text(list_versions(arguments.folder, arguments.name)))
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "train": _train,
    "distill": _train,
    "teach": _teach,
    "evaluate": _evaluate,
    "cross-validate": _cross_validate,
    "judge": _refit_rejector,
    "fetch": _fetch,
    "publish": _publish,
    "rollback": _rollback,
    "versions": _versions,
}
