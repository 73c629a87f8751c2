"""Training on rows of numbers, with figures for quantities and for yes-or-no answers.

name -> Table parts -> Task -> run_task -> figures on the test rows
"""

from collections.abc import Iterator

import numpy as np

from trainer.data import Table, load_table
from trainer.nn import Parameters, activate, loss_and_gradient
from trainer.training.config import TrainingConfig
from trainer.training.loop import TrainingState, logits
from trainer.training.session import Session, run_task
from trainer.training.task import Batch, Task, batch_rows, correct


def train_table(
    name: str, config: TrainingConfig, session: Session
) -> tuple[dict[str, float], Parameters, TrainingState]:
    """Train on the table called `name` and return the test figures, the parameters and the final state.

    Raises what `run_task` raises.
    """
    train, held_out, test = load_table(name, config.validation, config.split_seed)
    task = table_task(train, held_out, config)
    state = run_task(task, config, session, {name: "made from the seed"})
    return table_figures(state.best, test, config), state.best, state


def table_task(train: Table, held_out: Table, config: TrainingConfig) -> Task:
    """Return the task of predicting the targets from the inputs."""
    return Task(
        inputs=train.inputs.shape[1],
        outputs=1,
        examples=len(train.inputs),
        batches=lambda epoch: _batches(train, config, epoch),
        held_out=held_out,
    )


def _batches(table: Table, config: TrainingConfig, epoch: int) -> Iterator[Batch]:
    order = np.random.default_rng((config.seed, epoch)).permutation(len(table.inputs))
    rows = batch_rows(len(order), config)
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        yield table.inputs[chosen], table.targets[chosen]


def table_figures(parameters: Parameters, test: Table, config: TrainingConfig) -> dict[str, float]:
    """Return the loss, and accuracy, precision and recall of yes-or-no answers or the errors of quantities.

    Rows and loss come first; shares are in [0, 1], errors in units of the target.
    """
    found = logits(parameters, test.inputs)
    losses, _ = loss_and_gradient(config.loss, config.output, found, test.targets)
    outputs = activate(config.output, found)
    right = correct(outputs, test.targets, config)
    figures = {"rows": float(len(found)), "loss": float(losses.mean(dtype=np.float64))}
    if right is not None:
        yes, truly = outputs[:, 0] >= config.threshold, test.targets[:, 0] >= 0.5
        both = float(np.count_nonzero(yes & truly))
        return figures | {
            "accuracy": float(right.mean()),
            "precision": both / max(int(np.count_nonzero(yes)), 1),
            "recall": both / max(int(np.count_nonzero(truly)), 1),
        }
    return figures | {
        "root mean squared error": float(np.sqrt(np.mean((outputs - test.targets) ** 2))),
        "largest error": float(np.abs(outputs - test.targets).max()),
    }
