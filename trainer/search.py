"""Search for hyper-parameters with Optuna: train trials, compare them on validation data, prune bad ones.

    Dataset, fixed settings -> a trial: suggested settings -> train, a report per epoch -> validation loss
    storage <- every trial of every process; storage -> the best trial's settings -> a recipe

Test images are not used. A trial draws the settings in SPACE, except those that were given.
"""

import argparse
import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data import Dataset, hold_out
from trainer.errors import TrainerError, UsageError
from trainer.recipes import load_config
from trainer.stages import stage
from trainer.training import TrainingConfig, TrainingState, digits_task, initial_state, train, validate

INSTALL = "pip install -r trainer/requirements-search.txt"
POD_INDEX = "JOB_COMPLETION_INDEX"  # Kubernetes gives it to each pod of an Indexed Job
WARM_UP_TRIALS = 5  # before pruning has something to compare with
WARM_UP_EPOCHS = 2  # before a trial is compared

# setting -> how a trial draws it; the trial is Optuna's.
SPACE: dict[str, Callable[[Any], Any]] = {
    "hidden": lambda trial: tuple(
        trial.suggest_int(f"units_{layer}", 32, 512, log=True)
        for layer in range(1, 1 + trial.suggest_int("layers", 1, 3))
    ),
    "learning_rate": lambda trial: trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
    "batch_size": lambda trial: trial.suggest_categorical("batch_size", [32, 64, 128, 256]),
    "dropout": lambda trial: trial.suggest_float("dropout", 0.0, 0.5),
    "averaging": lambda trial: trial.suggest_categorical("averaging", [0.0, 0.99, 0.999]),
    "rotation": lambda trial: trial.suggest_float("rotation", 0.0, 25.0),
    "scale": lambda trial: trial.suggest_float("scale", 0.0, 0.25),
    "shear": lambda trial: trial.suggest_float("shear", 0.0, 0.3),
    "shift": lambda trial: trial.suggest_float("shift", 0.0, 2.0),
    "stroke_share": lambda trial: trial.suggest_float("stroke_share", 0.0, 1.0),
}


def optuna() -> Any:
    """Return the library; raise UsageError if it is not installed."""
    try:
        import optuna as library
    except ImportError as error:
        raise UsageError(f"search needs Optuna: {INSTALL}") from error
    library.logging.set_verbosity(library.logging.WARNING)
    return library


def open_study(storage: str, name: str, seed: int) -> Any:
    """Return the study called `name`, new or continued.

    storage: a URL, such as sqlite:///FILE or postgresql://...; several processes may share it. Raises
    TrainerError if it cannot be opened.
    """
    library = optuna()
    from sqlalchemy.exc import SQLAlchemyError

    try:
        study = library.create_study(
            storage=storage,
            study_name=name,
            direction="minimize",
            load_if_exists=True,
            pruner=library.pruners.MedianPruner(WARM_UP_TRIALS, WARM_UP_EPOCHS),
        )
        # Processes that share a study must not all draw the same settings, even if they start together.
        entropy = (seed, len(study.trials), int(os.environ.get(POD_INDEX, "0")))
        state = np.random.SeedSequence(entropy).generate_state(1)
        study.sampler = library.samplers.TPESampler(seed=int(state[0]))
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrainerError(f"the storage cannot be opened: {reason}") from error
    return study


def search(
    study: Any,
    trials: int,
    dataset: Dataset,
    recipe: str,
    flags: argparse.Namespace,
    on_trial: Callable[[str], object] = lambda line: None,
) -> None:
    """Run trials until the study has `trials` of them, including those of other processes.

    flags: settings that stay as given. on_trial: called with a line about each trial that ends.
    """
    library = optuna()

    def objective(trial: Any) -> float:
        config = suggested(trial, recipe, flags)
        examples, validation = hold_out(dataset.train, config.validation, config.split_seed)
        task = digits_task(dataset, examples, validation, config)

        def on_epoch(state: TrainingState) -> None:
            trial.report(state.history[-1]["validation_loss"], state.epoch)
            if trial.should_prune():
                raise library.TrialPruned

        rows = config.epochs * task.examples * task.rows_each
        with stage(f"trial {trial.number + 1}", rows) as advance:
            state = train(initial_state(config, task.inputs, task.outputs), task, config, advance, on_epoch)
        figures = validate(state.best, task, config)
        trial.set_user_attr("validation_error", 1 - figures["validation_accuracy"])
        return figures["validation_loss"]

    ended = (library.trial.TrialState.COMPLETE, library.trial.TrialState.PRUNED)
    if len(study.get_trials(deepcopy=False, states=ended)) >= trials:
        return
    study.optimize(
        objective,
        callbacks=[
            lambda study, trial: on_trial(trial_text(study, trial)),
            library.study.MaxTrialsCallback(trials, states=ended),
        ],
        catch=(TrainerError,),  # a loss of NaN is a bad trial, not the end of the study
    )


def suggested(trial: Any, recipe: str, flags: argparse.Namespace) -> TrainingConfig:
    """Return the configuration of a trial: the recipe, overridden by what is drawn and what was given."""
    drawn = {name: draw(trial) for name, draw in SPACE.items() if getattr(flags, name, None) is None}
    drawn |= {"outliers": 0, "refit": False}  # neither changes the validation loss
    return load_config(recipe, argparse.Namespace(**(vars(flags) | drawn)))


def trial_text(study: Any, trial: Any) -> str:
    """Return one line with the result of a trial and the best so far."""
    outcome = trial.state.name.lower()
    if "validation_error" in trial.user_attrs:  # a pruned trial has a loss too, but it means less
        outcome = f"loss {trial.value:.4f}, {100 * trial.user_attrs['validation_error']:.2f} % wrong"
    complete = (type(trial.state).COMPLETE,)
    done = [one.value for one in study.get_trials(deepcopy=False, states=complete)]
    best = f"; best loss {min(done):.4f}" if done else ""
    return f"trial {trial.number + 1}: {outcome}{best}"


def best_recipe(study: Any, recipe: str, flags: argparse.Namespace) -> tuple[str, float]:
    """Return the best trial's settings as the text of a recipe, and its validation loss.

    Raises TrainerError if no trial was completed.
    """
    library = optuna()
    if not study.get_trials(deepcopy=False, states=(library.trial.TrialState.COMPLETE,)):
        raise TrainerError("no trial was completed. Search with more --trials")
    best = study.best_trial
    config = suggested(library.trial.FixedTrial(best.params), recipe, flags)
    return _toml(study.study_name, config, load_config(recipe, flags)), float(best.value)


def _toml(name: str, config: TrainingConfig, base: TrainingConfig) -> str:
    """Return a recipe with all settings of a configuration; rejector and refit as in `base`."""
    kept = {"outliers": base.outliers, "refit": base.refit}
    training = dataclasses.asdict(config) | kept
    augmentation = training.pop("augmentation")
    return (
        f"# The best of the study {name} (python -m trainer search).\n\n"
        f"[training]\n{_lines(training)}\n[augmentation]\n{_lines(augmentation)}"
    )


def _lines(values: Mapping[str, Any]) -> str:
    def text(value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple):
            return str(list(value))
        return f'"{value}"' if isinstance(value, str) else repr(value)

    return "".join(f"{name} = {text(value)}\n" for name, value in values.items())


def default_storage(runs: Path, name: str) -> str:
    """Return the URL of the SQLite file of a study, whose folder is created."""
    folder = (runs / "search").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / name}.db"
