"""Checkpoints: everything that a later process needs to continue a training exactly.

TrainingState -> one .npz, replaced atomically after every epoch -> TrainingState
"""

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import numpy as np

from service.model.artifact import save
from trainer.errors import TrainerError
from trainer.training.config import TrainingConfig, config_from
from trainer.training.loop import TrainingState, finished


def write_checkpoint(
    path: Path, state: TrainingState, config: TrainingConfig, sources: dict[str, str]
) -> None:
    """Write `state` to `path`, with the settings and sources that a resume must repeat.

    Raises TrainerError if the file cannot be written; an old checkpoint then stays.
    """
    arrays = {"parameters": state.parameters.vector}
    arrays |= {f"optimizer_{name}": values for name, values in state.optimizer.state.items()}
    if state.average:
        arrays["average"] = state.average.vector
    if state.kept is not None:
        arrays["kept"] = state.kept
    facts = {
        "config": dataclasses.asdict(config),
        "sources": sources,
        "epoch": state.epoch,
        "history": state.history,
        "stages": state.stages,
        "optimizer_steps": state.optimizer.steps,
        "average_steps": state.average.steps if state.average else 0,
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, facts=np.array(json.dumps(facts)), **arrays)
    save_checkpoint(path, buffer.getvalue())


def save_checkpoint(path: Path, content: bytes) -> None:
    """Replace a checkpoint atomically; raise TrainerError if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, content)
    except OSError as error:
        raise TrainerError(
            f"the checkpoint {path} cannot be written: {error.strerror}. Make room and --resume"
        ) from error


def read_checkpoint(
    path: Path, state: TrainingState, config: TrainingConfig, sources: dict[str, str]
) -> TrainingState:
    """Fill `state`, an initial one, from a checkpoint with the same settings and sources; return it.

    The number of epochs may be higher than before. Raises TrainerError if the checkpoint cannot be read, or
    if other settings or the sources differ, because no command could then reproduce the weights.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            planned = config_from(facts["config"])
            if dataclasses.replace(planned, epochs=config.epochs) != config:
                raise TrainerError(
                    f"{path} was written with other settings; resume with the same ones, or remove it"
                )
            if facts["sources"] != sources:
                raise TrainerError(
                    f"{path} was written with other data; resume with the same data, or remove it"
                )
            state.parameters.vector[...] = file["parameters"]
            for name, values in state.optimizer.state.items():
                values[...] = file[f"optimizer_{name}"]
            if state.average:
                state.average.vector[...] = file["average"]
                state.average.steps = facts["average_steps"]
            if state.kept is not None:
                state.kept[...] = file["kept"]
            state.optimizer.steps = facts["optimizer_steps"]
            state.epoch, state.history = facts["epoch"], facts["history"]
            state.stages = facts.get("stages", [])
            _continue(path, state, planned, config)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise TrainerError(
            f"the checkpoint {path} cannot be read: {error}. Train without --resume"
        ) from error
    return state


def _continue(path: Path, state: TrainingState, planned: TrainingConfig, config: TrainingConfig) -> None:
    """Allow more epochs than planned, and record it where the schedule depends on their number."""
    if planned.epochs == config.epochs:
        return
    if config.epochs < state.epoch:
        raise TrainerError(f"{path} has {state.epoch} epochs already; resume with at least as many --epochs")
    if config.schedule != "cosine":
        return
    if not finished(state, planned):
        raise TrainerError(
            f"{path} is at epoch {state.epoch} of {planned.epochs}, and its learning rate falls toward the "
            f"last: resume with --epochs {planned.epochs} first, then with more"
        )
    state.stages = [*state.stages, planned.epochs]
