"""From a data set to the bytes of a model file.

Dataset, TrainingConfig -> hold out -> train -> export -> bytes
                                    -> (refit) train on all images -> export with the twin's figures -> bytes
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from service.model.artifact import Artifact, parse
from trainer.data import Dataset, hold_out
from trainer.distillation import Committee
from trainer.errors import TrainerError
from trainer.publishing import export_model, refit_plan, rejector_plan, trained_plan
from trainer.training import (
    TEACHER_PREFIX,
    Session,
    TrainingConfig,
    TrainingState,
    continued_command,
    digits_task,
    run_task,
    with_drawn,
)


class Trained(NamedTuple):
    """The result of a training.

    content: the bytes of the model file. measured: the bytes for the network that was measured, which
    differ after a refit. state: the final state of that network's training.
    """

    content: bytes
    measured: bytes
    state: TrainingState


def train_model(
    dataset: Dataset, config: TrainingConfig, session: Session, teachers: Committee | None = None
) -> Trained:
    """Train on a data set, and again on all of it if the configuration says so.

    A checkpoint is written before the first and after every epoch of either training. Raises
    TrainerError if there is nothing to train on, if the loss becomes infinite or NaN, or if the checkpoint or
    the log cannot be used.
    """
    examples, validation = hold_out(dataset.train, config.validation, config.split_seed)
    if not len(examples):
        raise TrainerError(f"{dataset.name} has no training image left after the validation split")
    if teachers:
        dataset = dataclasses.replace(dataset, sources=dataset.sources | teachers.sources)
    task = digits_task(dataset, with_drawn(examples, dataset, config), validation, config, teachers)
    state = run_task(task, config, session, dataset.sources)
    del task  # frees the drawn digits and their copy of the others
    command = continued_command(session.command, state.stages)
    plan = trained_plan(state.best, config, dataset, examples, validation, command)
    measured = export_model(plan)
    if not config.refit:
        return Trained(measured, measured, state)
    if teachers:
        teachers.clear_cache()
    everything, nothing = with_drawn(dataset.everything, dataset, config), validation.take(np.arange(0))
    task = digits_task(dataset, everything, nothing, config, teachers)
    final = run_task(task, config, session.refit, dataset.sources)
    plan = refit_plan(final.best, config, dataset, parse(measured))
    return Trained(export_model(plan), measured, state)


def refit_rejector(model: Artifact, config: TrainingConfig, dataset: Dataset) -> bytes:
    """Return the bytes of the model file with the same network and a new rejector and thresholds.

    Raises TrainerError if the model was not trained on the data set, UsageError if its rejector cannot be
    changed.
    """
    sources = model.metadata["training"].get("sources", {})
    learned = {name: digest for name, digest in sources.items() if not name.startswith(TEACHER_PREFIX)}
    if dataset.sources != learned:
        raise TrainerError(
            f"the model was not trained on this {dataset.name}. Give the data it was trained on"
        )
    return export_model(rejector_plan(model, config, dataset))
