"""The forward pass, against numbers worked out by hand."""

import numpy as np
import pytest

from service.model.network import ACTIVATIONS, FEW_ROWS, MANY_ROWS, Layer, forward, product, softmax


def test_forward_of_a_two_layer_network_worked_by_hand():
    # hidden = relu([1, 2] @ [[1, -1], [2, 0.5]] + [0, -1]) = relu([5, -1]) = [5, 0]
    # logits = [5, 0] @ [[2], [7]] + [0.5] = [10.5]
    layers = [
        Layer(np.array([[1, -1], [2, 0.5]], np.float32), np.array([0, -1], np.float32), "relu"),
        Layer(np.array([[2], [7]], np.float32), np.array([0.5], np.float32), "linear"),
    ]
    hidden, logits = forward(layers, np.array([[1, 2]], np.float32))
    np.testing.assert_array_equal(hidden, [[5, 0]])
    np.testing.assert_array_equal(logits, [[10.5]])


def test_softmax_worked_by_hand():
    # exp([0, ln 2, ln 5]) = [1, 2, 5], which sum to 8
    logits = np.log(np.array([[1.0, 2.0, 5.0]]))
    np.testing.assert_allclose(softmax(logits), [[1 / 8, 2 / 8, 5 / 8]])


def test_softmax_survives_logits_whose_exponentials_overflow():
    np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0, -1000.0]])), [[0.5, 0.5, 0.0]])


def test_a_temperature_of_two_takes_square_roots_of_the_odds():
    # odds of 4 : 1 become 2 : 1
    logits = np.log(np.array([[4.0, 1.0]]))
    np.testing.assert_allclose(softmax(logits, 2.0), [[2 / 3, 1 / 3]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", [-2.0, 0.0, 3.0]),
        ("relu", [0.0, 0.0, 3.0]),
        ("leaky_relu", [-0.02, 0.0, 3.0]),
        ("sigmoid", [1 / (1 + np.e**2), 0.5, 1 / (1 + np.e**-3)]),
        ("tanh", [-0.9640275801, 0.0, 0.9950547537]),
    ],
)
def test_activations_at_known_points(name, expected):
    inputs = np.array([-2.0, 0.0, 3.0], np.float32)
    outputs = ACTIVATIONS[name](inputs)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-7)
    assert outputs.dtype == np.float32


def test_sigmoid_of_a_huge_negative_number_is_zero():
    assert ACTIVATIONS["sigmoid"](np.array([-1e4], np.float32))[0] == 0


def test_rows_of_a_batch_do_not_influence_each_other():
    rng = np.random.default_rng(1)
    layers = [
        Layer(rng.normal(size=(7, 5)).astype("f4"), rng.normal(size=5).astype("f4"), "tanh"),
        Layer(rng.normal(size=(5, 3)).astype("f4"), rng.normal(size=3).astype("f4"), "linear"),
    ]
    pixels = rng.random((6, 7), dtype=np.float32)
    together = forward(layers, pixels)[-1]
    alone = np.concatenate([forward(layers, row[None])[-1] for row in pixels])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("active", [0, 1, 100, 399, 400])
def test_single_input_equals_its_row_in_a_batch(active):
    # Large enough that the rows of active inputs are gathered where those are few.
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(400, 200)).astype("f4")
    signal = np.zeros((1, 400), np.float32)
    signal[0, rng.permutation(400)[:active]] = rng.normal(size=active)
    together = np.repeat(signal, 2, axis=0) @ weights
    np.testing.assert_allclose(product(signal, weights), together[:1], rtol=1e-4, atol=1e-4)


def sparse(rng: np.random.Generator, count: int, active: int) -> np.ndarray:
    """Return `count` rows of 400 numbers, of which `active` are not zero, others in each row."""
    signal = np.zeros((count, 400), np.float32)
    for row in signal:
        row[rng.permutation(400)[:active]] = rng.normal(size=active)
    return signal


@pytest.mark.parametrize("fan_out", [10, 200])
@pytest.mark.parametrize("active", [0, 60, 300])
@pytest.mark.parametrize("count", [1, 2, 3, 7, FEW_ROWS])
def test_few_rows_come_out_to_the_last_bit_as_each_alone(count, active, fan_out):
    rng = np.random.default_rng(4)
    weights = rng.normal(size=(400, fan_out)).astype("f4")
    signal = sparse(rng, count, active)
    alone = np.concatenate([product(row[None], weights) for row in signal])
    np.testing.assert_array_equal(product(signal, weights), alone)


@pytest.mark.parametrize("count", [0, FEW_ROWS + 1, MANY_ROWS, MANY_ROWS + 1])
@pytest.mark.parametrize("active", [0, 5, 300])
def test_many_rows_and_none_come_out_as_of_one_product(count, active):
    rng = np.random.default_rng(5)
    weights = rng.normal(size=(400, 200)).astype("f4")
    signal = sparse(rng, count, active)
    np.testing.assert_allclose(product(signal, weights), signal @ weights, rtol=1e-4, atol=1e-4)
