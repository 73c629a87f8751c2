"""The commands behind `python -m trainer`.

argv -> parser -> one function a command -> exit code

0 done; 1 failed; 2 the same command would end the same way again: wrong usage, or the gate refused
the model. A Kubernetes Job tries again after a 1 and not after a 2.
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
from trainer import run
from trainer.data.datasets import load_dataset
from trainer.data.fetch import MNIST_MIRRORS, fetch_mnist
from trainer.data.tables import TABLES
from trainer.distillation.committee import load_committee
from trainer.distillation.convolution import SUFFIX
from trainer.distillation.teach import teach
from trainer.errors import RefusedError, TrainerError, UsageError
from trainer.evaluation.conditions import try_conditions
from trainer.evaluation.metrics import evaluate, figures_of_twin, generated_refusals, picture_refusals
from trainer.evaluation.text import (
    artifact_text,
    conditions_text,
    evaluation_text,
    refusals_text,
    table_text,
    versions_text,
)
from trainer.parser import DATASETS, NON_DIGITS, build_parser
from trainer.publishing.export import JUDGE_SETTINGS
from trainer.publishing.gate import Gate, Images, held_out_images, publish
from trainer.publishing.versions import rollback, versions
from trainer.training.config import TrainingConfig, config_from, load_config


def main(argv: list[str]) -> int:
    """Run one command and return its exit code; a failure is one line on stderr."""
    arguments = build_parser().parse_args(argv)
    arguments.argv = argv
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        # The order of a sum decides its last bits: with one BLAS thread it is the same on any machine,
        # and both cores are kept busy at a higher level (trainer/training/step.py).
        with threadpoolctl.threadpool_limits(1, "blas"):
            return COMMANDS[arguments.command](arguments)
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
        from trainer.evaluation.report import write_report  # matplotlib is slow to import

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
        from trainer.evaluation.report import write_table_report  # matplotlib is slow to import

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
        from trainer.evaluation.plots import write_pictures  # matplotlib is slow to import

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


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "train": _train,
    "distill": _train,
    "teach": _teach,
    "evaluate": _evaluate,
    "cross-validate": _cross_validate,
    "judge": _judge,
    "fetch": _fetch,
    "publish": _publish,
    "rollback": _rollback,
    "versions": _versions,
}
