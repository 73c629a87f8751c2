"""The report counts dead units and vanished gradients, and a warning says which layer no longer learns."""

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.quick import run_trainer
from trainer.evaluation import LayerHealth, health_text, health_warning, layer_health
from trainer.nn import Parameters, initialize, one_hot
from trainer.training import TrainingConfig

RNG = np.random.default_rng(0)
INPUTS = RNG.random((50, 6), np.float32)
TARGETS = one_hot(RNG.integers(0, 3, 50), 3)


def network(activation: str, hidden: int = 5) -> Parameters:
    return initialize([6, hidden, 3], activation, np.random.default_rng(1))


def test_units_without_slope_are_counted() -> None:
    first, last = network("relu"), network("relu")
    last.layers[0].weights[...] = np.abs(last.layers[0].weights)  # each reacts to inputs above 0
    last.layers[0].biases[[1, 3]] = -100
    health = layer_health(first, last, INPUTS, TARGETS, TrainingConfig())
    assert [(one.layer, one.units, one.dead) for one in health] == [(1, 5, 2), (2, 3, 0)]
    last.layers[0].biases[...] = -100
    assert layer_health(first, last, INPUTS, TARGETS, TrainingConfig())[0].dead == 5


@pytest.mark.parametrize(
    ("activation", "dead"), [("sigmoid", 5), ("tanh", 5), ("leaky_relu", 0), ("linear", 0)]
)
def test_saturated_units_are_dead_and_leaky_ones_are_not(activation: str, dead: int) -> None:
    last = network(activation)
    last.layers[0].biases[...] = -100
    assert layer_health(network(activation), last, INPUTS, TARGETS, TrainingConfig())[0].dead == dead


def test_gradients_are_those_of_a_step() -> None:
    one = network("tanh")
    health = layer_health(one, one, INPUTS, TARGETS, TrainingConfig())
    softmax = np.exp(_logits(one)) / np.exp(_logits(one)).sum(axis=1, keepdims=True)
    hidden = np.tanh(INPUTS @ one.layers[0].weights + one.layers[0].biases)
    expected = np.linalg.norm(hidden.T @ (softmax - TARGETS) / len(INPUTS))
    assert health[1].first_gradient == pytest.approx(expected, rel=1e-4)
    assert health[1].last_gradient == health[1].first_gradient


def _logits(one: Parameters) -> np.ndarray:
    hidden = np.tanh(INPUTS @ one.layers[0].weights + one.layers[0].biases)
    return hidden @ one.layers[1].weights + one.layers[1].biases


def test_warning_names_what_has_died() -> None:
    alive = [LayerHealth(1, 5, 4, 0.1, 0.1), LayerHealth(2, 3, 0, 0.1, 0.1)]
    assert health_warning(alive, 0.1) == ""
    dead = [LayerHealth(1, 5, 5, 0.1, 0.0), LayerHealth(2, 3, 0, 0.1, 0.1)]
    assert "no unit of hidden layer 1 reacts" in health_warning(dead, 0.9)
    vanished = [LayerHealth(1, 5, 0, 1e-7, 1e-7), LayerHealth(2, 3, 0, 0.1, 0.1)]
    assert "the gradient of layer 1 was 1e-07" in health_warning(vanished, 0.1)
    assert health_warning(vanished, 0.98) == ""
    assert health_warning(vanished, None) == ""


def test_table_has_a_line_for_each_layer() -> None:
    lines = health_text(
        [LayerHealth(1, 1500, 12, 0.123, 0.001), LayerHealth(2, 10, 0, 0.5, 0.25)]
    ).splitlines()
    assert lines[1].split() == ["1", "1,500", "12", "0.12", "0.001"]
    assert [line.split() for line in lines[2:]] == [["2", "10", "0", "0.5", "0.25"]]


def test_training_that_dies_says_so(tmp_path: Path) -> None:
    words = ("two-classes", "--hidden", "2", "--learning-rate", "5", "--epochs", "5")
    done = run_trainer("train", *words, "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("trainer: warning: learning has stopped: no unit of hidden layer 1 reacts")
    assert "Layer by layer" in (tmp_path / "runs/two-classes/report/report.html").read_text()
