"""The commands that change which model serves: publish, judge, rollback, remove, versions.

model file -> gate -> folder of models
"""

import argparse
import dataclasses
from pathlib import Path

from service.model.artifact import load
from service.model.errors import ArtifactError
from trainer.commands.reading import read_dataset
from trainer.data import DATASETS
from trainer.errors import RefusedError, UsageError
from trainer.pipeline import refit_rejector
from trainer.publishing import (
    Gate,
    HeldOut,
    Notes,
    artifact_text,
    held_out_images,
    list_versions,
    publish,
    remove,
    rollback,
    versions_text,
)
from trainer.stages import stage
from trainer.training import REJECTOR_SETTINGS, config_from


def publish_bytes(
    content: bytes, name: str, arguments: argparse.Namespace, images: HeldOut | None, notes: Notes
) -> None:
    """Publish a model file into the folder --to if the gate lets it pass, and print how it compares."""
    gate = Gate(
        arguments.minimum_accuracy, arguments.maximum_drop, images, not arguments.allow_missing_digits
    )
    with stage("checking the model"):
        done = publish(content, name, arguments.to, gate, arguments.keep, notes)
    print(artifact_text(done.artifact, f"published {arguments.to / name}.npz", done.comparison))
    if done.left_out:
        print(f"  the card has no notes, because {name}.notes.md is about version {done.left_out}")
    if arguments.keep:
        print(versions_text(list_versions(arguments.to, name)))


def publish_file(arguments: argparse.Namespace) -> int:
    """Publish a model file."""
    arguments.artifact.stat()  # a missing file is a failure, not a refusal
    name = model_name(arguments.artifact)
    try:
        artifact = load(arguments.artifact)
    except ArtifactError as error:
        raise RefusedError(f"{name} was not published: {error}") from error
    training = artifact.metadata["training"]
    dataset = training.get("dataset")
    if arguments.data and dataset not in DATASETS:
        raise UsageError(f"{name} was trained on {dataset!r}, which --data cannot provide")
    known = dataset == "digits" or arguments.data
    config = config_from(training.get("config", {}))
    with stage("reading the data"):
        images = held_out_images(dataset, arguments.data, config) if known else None
    notes = Notes(arguments.artifact.with_name(f"{name}.notes.md"), arguments.without_notes)
    publish_bytes(arguments.artifact.read_bytes(), name, arguments, images, notes)
    return 0


def judge(arguments: argparse.Namespace) -> int:
    """Fit a new rejector to a model, and publish the result."""
    model = load(arguments.artifact)
    config = config_from(model.metadata["training"].get("config", {}))
    given = {name: getattr(arguments, name) for name in REJECTOR_SETTINGS}
    config = dataclasses.replace(config, **{name: n for name, n in given.items() if n is not None})
    dataset = read_dataset(arguments, config.split_seed, model.geometry)
    content = refit_rejector(model, config, dataset)
    images = held_out_images(dataset.name, arguments.data, config, dataset)
    publish_bytes(content, model_name(arguments.artifact), arguments, images, Notes(optional=True))
    return 0


def model_name(path: Path) -> str:
    """Return the name of the model in a file."""
    return path.name.removesuffix(".npz")


def roll_back(arguments: argparse.Namespace) -> int:
    """Serve an older version again."""
    artifact = rollback(arguments.folder, arguments.name, arguments.version)
    print(f"rolled back {arguments.folder / arguments.name}.npz to {artifact.version}")
    return print_versions(arguments)


def remove_model(arguments: argparse.Namespace) -> int:
    """Remove a model and its versions from a folder."""
    kept = remove(arguments.folder, arguments.name)
    print(f"removed {arguments.name} from {arguments.folder}" + (f", with {kept} versions" if kept else ""))
    return 0


def print_versions(arguments: argparse.Namespace) -> int:
    """List the versions that a folder keeps."""
    print(versions_text(list_versions(arguments.folder, arguments.name)))
    return 0
