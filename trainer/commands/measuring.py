"""The commands that run or measure a model and change nothing: predict, evaluate, cross-validate.

arguments -> figures -> text or JSON on stdout
"""

import argparse
import json
from typing import Any

from service.model.classifier import Classifier
from trainer.commands.reading import read_dataset, read_model
from trainer.data import load_dataset, with_mnist
from trainer.errors import TrainerError, UsageError
from trainer.evaluation import (
    answer_file,
    answer_json,
    answer_text,
    composed_readings,
    conditions_text,
    cross_validate,
    cross_validation_text,
    evaluate,
    evaluation_text,
    folder_readings,
    generated_refusals,
    picture_refusals,
    random_folds,
    readings_text,
    refusals_text,
    try_conditions,
    writer_folds,
)
from trainer.parser import NON_DIGITS
from trainer.recipes import load_config
from trainer.stages import stage
from trainer.training import figures_of_twin

BY = {"writer": "folds of whole writers", "random": "random folds"}


def predict(arguments: argparse.Namespace) -> int:
    """Print the answer of a model for each image file."""
    classifier = Classifier(read_model(arguments.artifact), arguments.artifact.name.removesuffix(".npz"))
    text = answer_json if arguments.json else answer_text
    failed = 0
    for path in arguments.images:
        answer = answer_file(classifier, path)
        failed += "error" in answer
        print(text(answer), flush=True)
    if failed:
        raise TrainerError(f"{failed} of {len(arguments.images)} images could not be answered, see above")
    return 0


def evaluate_model(arguments: argparse.Namespace) -> int:
    """Print the figures of a model on a data set."""
    artifact = read_model(arguments.artifact)
    classifier = Classifier(artifact)
    if arguments.dataset == NON_DIGITS:
        return _evaluate_non_digits(arguments, classifier)
    if arguments.read and arguments.dataset == "folder":
        return _evaluate_numbers(arguments, classifier)
    training = artifact.metadata["training"]
    split_seed = training.get("config", {}).get("split_seed", 0)
    dataset = read_dataset(arguments, split_seed, artifact.geometry, classifier)
    examples = dataset.part(arguments.split)
    title = f"{arguments.artifact} on {arguments.dataset}, {arguments.split}"
    if "test" in figures_of_twin(training) and dataset.name == training["dataset"]:
        title += " (learned in training; see its card for the error on new images)"
    figures: dict[str, Any]
    if arguments.read:
        readings = composed_readings(classifier, examples, digits=arguments.digits)
        figures = {name: one._asdict() for name, one in readings.items()}
        _print(arguments, classifier, figures, readings_text(readings, f"numbers of {title}"))
        return 0
    if arguments.distorted:
        outcomes = try_conditions(classifier, examples)
        figures = {name: one._asdict() for name, one in outcomes.items()}
        _print(arguments, classifier, figures, conditions_text(outcomes, title))
        return 0
    with stage("evaluating"):
        evaluation = evaluate(classifier, examples)
    _print(arguments, classifier, evaluation.as_json(), evaluation_text(evaluation, title))
    if arguments.pictures:
        from trainer.evaluation.answer_plots import write_pictures  # matplotlib.figure is slow to import

        with stage("plots"):
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


def _evaluate_numbers(arguments: argparse.Namespace, classifier: Classifier) -> int:
    """Print how many pictures of a folder, named by their numbers, are read whole."""
    if arguments.data is None or not arguments.data.is_dir():
        raise UsageError("evaluate --read folder needs --data DIR, a folder of pictures such as 427_13.png")
    readings = folder_readings(classifier, arguments.data)
    figures = {name: one._asdict() for name, one in readings.items()}
    _print(
        arguments, classifier, figures, readings_text(readings, f"{arguments.artifact} on {arguments.data}")
    )
    return 0


def _print(arguments: argparse.Namespace, classifier: Classifier, figures: dict[str, Any], text: str) -> None:
    """Print figures as JSON with --json, else as text."""
    named = {"model": classifier.artifact.version, "split": arguments.split, **figures}
    print(json.dumps(named, indent=2) if arguments.json else text)


def cross_validate_recipe(arguments: argparse.Namespace) -> int:
    """Print how many digits networks get wrong on folds they did not learn: random ones, or whole writers."""
    digits = load_dataset("digits", None)
    count = len(digits.everything)
    if not 2 <= arguments.splits <= count:
        raise UsageError(f"--splits is {arguments.splits}; 2 to {count} are possible")
    config = load_config(arguments.recipe, arguments)
    if arguments.by == "writer":
        folds = writer_folds(count)
    else:
        folds = random_folds(count, arguments.splits, config.split_seed)
    extra = with_mnist(digits, arguments.with_mnist).extra if arguments.with_mnist else None
    found = cross_validate(config, BY[arguments.by], folds, extra)
    print(json.dumps(found.as_json()) if arguments.json else cross_validation_text(found))
    return 0
