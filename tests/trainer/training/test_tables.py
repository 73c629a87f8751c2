"""Tasks on rows of numbers: what they are made of, how they train, and the figures of their answers."""

import dataclasses

import numpy as np
import pytest

from tests.trainer.training.test_config import flags
from trainer.data import CLASS_TABLES, TABLES, Table, load_table
from trainer.errors import UsageError
from trainer.nn import Parameters
from trainer.recipes import default_recipe, load_config
from trainer.training import TrainingConfig, initial_state, read_table, table_figures, train
from trainer.training.tables import TableParts, table_task

CLASSES = TrainingConfig(hidden=(), output="sigmoid", loss="binary_cross_entropy")


def test_table_is_generated_and_split_from_its_seed() -> None:
    parts = load_table("sqrt-mean", 0.25, 0)
    assert [len(part.inputs) for part in parts] == [1800, 600, 600]
    fit = parts[0]
    assert fit.targets[:, 0] == pytest.approx(np.sqrt(fit.inputs.mean(axis=1)))
    assert np.array_equal(load_table("sqrt-mean", 0.25, 0)[0].inputs, fit.inputs)
    assert not np.array_equal(load_table("sqrt-mean", 0.25, split_seed=1)[0].inputs, fit.inputs)
    rows = {tuple(row) for row in fit.inputs.tolist()}
    assert rows.isdisjoint(map(tuple, parts[2].inputs.tolist()))


def test_root_of_the_mean_has_rows_and_columns_as_asked() -> None:
    train_part, _, test = load_table("sqrt-mean", 0.25, 0, rows=200, columns=9)
    assert train_part.inputs.shape == (120, 9)
    assert test.targets[:, 0] == pytest.approx(np.sqrt(test.inputs.mean(axis=1)))


@pytest.mark.parametrize("name", CLASS_TABLES)
def test_classes_are_balanced_and_no_straight_line_parts_them(name: str) -> None:
    table = CLASS_TABLES[name](np.random.default_rng(0), 2000)
    assert table.inputs.shape == (2000, 2)
    assert table.inputs.dtype == table.targets.dtype == np.float32
    assert 0.45 < table.targets.mean() < 0.55
    rows = np.column_stack((table.inputs, np.ones(2000)))
    plane, *_ = np.linalg.lstsq(rows, 2 * table.targets[:, 0] - 1, rcond=None)
    right = ((rows @ plane > 0) == (table.targets[:, 0] > 0.5)).mean()
    assert right < (0.9 if name == "two-classes" else 0.7)


def test_shapes_are_what_their_names_say() -> None:
    rng = np.random.default_rng(1)
    ring = CLASS_TABLES["circles"](rng, 2000)
    radius = np.hypot(*ring.inputs.T)
    assert (radius[ring.targets[:, 0] == 1] < 0.7).mean() > 0.99
    assert (radius[ring.targets[:, 0] == 0] > 0.5).mean() > 0.99
    quadrants = CLASS_TABLES["xor"](rng, 2000)
    differ = (quadrants.inputs > 0).sum(axis=1) == 1
    assert (differ == (quadrants.targets[:, 0] == 1)).mean() > 0.9
    arms = CLASS_TABLES["spiral"](rng, 2000)
    mirrored = Table(-arms.inputs, 1 - arms.targets)  # half a turn exchanges the arms
    nearest = np.linalg.norm(arms.inputs[:200, None] - mirrored.inputs[None], axis=2).argmin(axis=1)
    assert (mirrored.targets[nearest, 0] == arms.targets[:200, 0]).mean() > 0.9


@pytest.mark.parametrize("name", TABLES)
def test_recipes_learn_their_tables(name: str) -> None:
    config = load_config(default_recipe(name), flags())
    parts = read_table(name, config, 2000, 4)
    task = table_task(parts, config)
    state = train(initial_state(config, task.inputs, task.outputs), task, config)
    figures = table_figures(state.best, parts, config)
    if name == "sqrt-mean":
        assert figures["root mean squared error"] < 0.03
        assert "validation_accuracy" not in state.history[-1]
    else:
        assert figures["accuracy"] > (0.91 if name == "two-classes" else 0.94)  # moons overlap
        assert state.history[-1]["validation_accuracy"] > 0.9


def answering(weight: float, bias: float) -> Parameters:
    """Return a network of one linear unit."""
    return Parameters((1, 1), ("linear",), np.array([weight, bias]))


def parts_of(inputs: list[float], targets: list[float], quantities: bool) -> TableParts:
    table = Table(np.array(inputs, np.float32)[:, None], np.array(targets, np.float32)[:, None])
    return TableParts(table, table, table, 100, 1, quantities)


def test_figures_of_answers_match_a_worked_example() -> None:
    # Yes from 0 on: yes, yes, no, no, yes; truly: yes, no, yes, no, yes.
    parts = parts_of([1, 2, -1, -2, 3], [1, 0, 1, 0, 1], False)
    figures = table_figures(answering(1, 0), parts, CLASSES)
    assert figures["accuracy"] == pytest.approx(3 / 5)
    assert figures["precision"] == figures["recall"] == pytest.approx(2 / 3)
    assert figures["F1"] == pytest.approx(2 / 3)
    only = table_figures(answering(1, 2.5), parts, CLASSES)  # yes to all
    assert (only["precision"], only["recall"], only["F1"]) == pytest.approx((0.6, 1.0, 0.75))
    none = table_figures(answering(0, -9), parts, CLASSES)
    assert (none["precision"], none["recall"], none["F1"]) == (0, 0, 0)
    high = table_figures(answering(1, 0), parts, dataclasses.replace(CLASSES, threshold=0.9))
    assert high["recall"] == pytest.approx(1 / 3)


def test_figures_of_quantities_match_a_worked_example() -> None:
    parts = parts_of([1, 2, 3, 4], [1, 2, 3, 8], True)
    config = TrainingConfig(hidden=(), output="linear", loss="mean_squared_error")
    figures = table_figures(answering(1, 1), parts, config)  # off by 1, 1, 1, 3
    assert figures["mean absolute error"] == pytest.approx(1.5)
    assert figures["root mean squared error"] == pytest.approx(np.sqrt(3))
    assert figures["largest error"] == pytest.approx(3)
    assert figures["loss"] == pytest.approx(3)
    assert (figures["rows n"], figures["dimension"], figures["test rows"]) == (100, 1, 4)


@pytest.mark.parametrize(
    ("name", "settings", "rows", "complaint"),
    [
        (
            "sqrt-mean",
            {"loss": "cross_entropy"},
            100,
            "asks for a quantity: the loss is mean_squared_error, not",
        ),
        ("two-classes", {"loss": "cross_entropy"}, 100, "asks for a single yes or no"),
        (
            "xor",
            {"loss": "mean_squared_error", "output": "softmax"},
            100,
            "softmax of one output is always 1",
        ),
        ("xor", {"loss": "mean_squared_error", "output": "sigmoid"}, 49, "at least 50 rows"),
    ],
)
def test_settings_that_do_not_suit_are_refused(name: str, settings: dict, rows: int, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read_table(name, TrainingConfig(**settings), rows, 2)
