"""The commands that train: train, distill, teach.

arguments -> recipe, data set -> pipeline -> runs/NAME/ -> (--to DIR) the gate
"""

import argparse
from pathlib import Path

import numpy as np

from service.model.artifact import save
from trainer.commands.publishing import publish_bytes
from trainer.commands.reading import print_note, read_training_data
from trainer.data import CLASSES, TABLES, Dataset
from trainer.distillation import load_committee, train_teacher
from trainer.errors import TrainerError
from trainer.evaluation import (
    HEALTH_EXAMPLES,
    LayerHealth,
    health_warning,
    layer_health,
    table_text,
)
from trainer.nn import one_hot
from trainer.pipeline import train_model
from trainer.publishing import Notes, held_out_images
from trainer.recipes import default_name, default_recipe, load_config
from trainer.runs import Run
from trainer.stages import stage
from trainer.training import (
    CONVOLUTION_SUFFIX,
    Session,
    TrainingConfig,
    TrainingState,
    initial_state,
    read_table,
    table_figures,
    train_table,
)

# Flags that name files of this machine or do not change the weights, with a value and without one.
LOCAL_OPTIONS = {
    *("--data", "--with-mnist", "--to", "--runs", "--checkpoint", "--report", "--log-json", "--teachers"),
    *("--minimum-accuracy", "--maximum-drop", "--keep"),
}
LOCAL_SWITCHES = {
    *("--resume", "--quiet", "--no-publish", "--no-report", "--report-test"),
    "--allow-missing-digits",
}


def train(arguments: argparse.Namespace) -> int:
    """Train a model into its run folder; with --to, publish it as well."""
    recipe = arguments.recipe or default_recipe(arguments.dataset)
    run = Run(arguments.name or default_name(arguments.dataset, recipe), arguments.runs)
    config = load_config(recipe, arguments)
    if arguments.dataset in TABLES:
        return _train_table(arguments, config, run)
    dataset = read_training_data(arguments, config.split_seed)
    folder = getattr(arguments, "teachers", None)
    teachers = load_committee(folder, dataset.geometry) if folder else None
    trained = train_model(dataset, config, _session(arguments, run), teachers)
    health = _health(trained.state, dataset, config)
    tested = arguments.report_test
    artifact = run.write(trained.content, tested)
    if not arguments.no_report:
        from trainer.evaluation.report import write_report  # matplotlib.figure is slow to import

        report = arguments.report or run.report
        with stage("report"):
            history = trained.state.history
            write_report(report, trained.measured, dataset, config, history, health, tested, artifact.version)
    if arguments.to and not arguments.no_publish:
        images = held_out_images(dataset.name, arguments.data, config, dataset)
        publish_bytes(trained.content, run.name, arguments, images, Notes(optional=True))
    else:
        print(run.summary(artifact, tested))
    return 0


def _health(state: TrainingState, dataset: Dataset, config: TrainingConfig) -> list[LayerHealth]:
    """Return the health of each layer on training pictures, and warn on stderr if learning has stopped."""
    shown = dataset.train.take(np.arange(len(dataset.train))[:HEALTH_EXAMPLES])
    pixels, targets = shown.pixels - np.float32(config.input_offset), one_hot(shown.labels, CLASSES)
    first = initial_state(config, pixels.shape[1], CLASSES).parameters
    health = layer_health(first, state.best, pixels, targets, config)
    _warn(health, state.history[-1].get("accuracy") if state.history else None)
    return health


def _warn(health: list[LayerHealth], accuracy: float | None) -> None:
    warning = health_warning(health, accuracy)
    if warning:
        print_note(f"warning: {warning}")


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
    for flag in ("data", "with-mnist", "teachers"):
        if getattr(arguments, flag.replace("-", "_"), None):
            words += [f"--{flag}", "DIR"]
    return f"python -m trainer {' '.join(words)}"


def _session(arguments: argparse.Namespace, run: Run) -> Session:
    return Session(
        run.name,
        command_line(arguments, arguments.argv),
        arguments.checkpoint or run.checkpoint,
        arguments.resume,
        arguments.quiet,
        arguments.log_json or run.open_log(arguments.resume),
    )


def teach(arguments: argparse.Namespace) -> int:
    """Train a convolutional teacher."""
    name = arguments.name or Path(arguments.recipe).stem
    config = load_config(arguments.recipe, arguments)
    dataset = read_training_data(arguments, config.split_seed)
    content = train_teacher(
        dataset, config, arguments.channels, _session(arguments, Run(name, arguments.runs))
    )
    path = arguments.to / f"{name}{CONVOLUTION_SUFFIX}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, content)
    except OSError as error:
        raise TrainerError(f"{path} cannot be written: {error.strerror}") from error
    print(f"wrote the teacher {path}")
    return 0


def _train_table(arguments: argparse.Namespace, config: TrainingConfig, run: Run) -> int:
    """Train on rows of numbers. The result is not published, because the service answers only digits."""
    parts = read_table(arguments.dataset, config, arguments.rows, arguments.columns)
    state = train_table(arguments.dataset, parts, config, _session(arguments, run))
    parameters, train = state.best, parts.train
    first = initial_state(config, train.inputs.shape[1], 1).parameters
    health = layer_health(first, parameters, train.inputs, train.targets, config)
    figures = table_figures(parameters, parts, config)
    _warn(health, figures.get("accuracy"))
    if not arguments.no_report:
        from trainer.evaluation.report import write_table_report  # matplotlib.figure is slow to import

        report = arguments.report or run.report
        with stage("report"):
            write_table_report(
                report,
                arguments.dataset,
                parts.test,
                parameters,
                config,
                state.history,
                health,
                parts.quantities,
            )
    print(table_text(arguments.dataset, figures, len(state.history)))
    return 0
