"""Backpropagation is correct for every weight, bias and activation, and in two threads."""

import numpy as np
import pytest

from service.model.network import ACTIVATIONS, forward
from tests.trainer.nn.differences import assert_gradient, central_differences
from trainer.nn import OUTPUTS_OF, Parameters, initialize, loss_and_gradient
from trainer.nn.gradients import Buffers, backward_rows, forward_rows, gradients
from trainer.nn.optimizers import MomentumSGD
from trainer.training import TrainingConfig
from trainer.training.step import Stepper, penalty

SIZES = (7, 5, 3, 4)  # odd and unequal: a transposed or swapped matrix does not fit
# A step has no slope; see test_losses.py.
PAIRS = [(loss, output) for loss, outputs in OUTPUTS_OF.items() for output in outputs if output != "step"]


def network(activation: str, dtype: type = np.float64) -> Parameters:
    parameters = initialize(SIZES, activation, np.random.default_rng(3), dtype)
    parameters.layers[-1].weights[...] *= 10  # not undecided: slopes of all sizes
    parameters.vector += np.random.default_rng(4).normal(0, 0.1, len(parameters.vector)).astype(dtype)
    return parameters


def batch(output: str, rows: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    targets = (
        rng.dirichlet(np.ones(4), rows) if output in ("softmax", "sigmoid") else rng.normal(size=(rows, 4))
    )
    return rng.normal(size=(rows, 7)), targets


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_every_parameter_agrees_with_central_differences(activation: str, loss: str, output: str) -> None:
    parameters = network(activation)
    pixels, targets = batch(output)
    value, gradient = gradients(parameters, pixels, targets, loss, output)

    def mean_loss() -> float:
        logits = forward(parameters.layers, pixels)[-1]
        return float(loss_and_gradient(loss, output, logits, targets)[0].mean())

    assert value == pytest.approx(mean_loss())
    assert_gradient(gradient.vector, central_differences(mean_loss, parameters.vector))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_every_parameter_agrees_with_pytorch(activation: str, loss: str, output: str) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install -r tests/requirements-torch.txt")
    functional = torch.nn.functional
    parameters = network(activation)
    pixels, targets = batch(output)
    _, gradient = gradients(parameters, pixels, targets, loss, output)
    signal, wanted = torch.tensor(pixels), torch.tensor(targets)
    functions = {
        "linear": lambda z: z,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "leaky_relu": lambda z: functional.leaky_relu(z, float(np.float32(0.01))),
        "softmax": lambda z: torch.softmax(z, dim=1),
    }
    leaves = []
    for layer in parameters.layers:
        weights = torch.tensor(layer.weights, requires_grad=True)
        biases = torch.tensor(layer.biases, requires_grad=True)
        leaves += [weights, biases]
        signal = functions[layer.activation](signal @ weights + biases)
    outputs = functions[output](signal)
    value = {
        "mean_squared_error": lambda: functional.mse_loss(outputs, wanted),
        "binary_cross_entropy": lambda: functional.binary_cross_entropy(outputs, wanted),
        "cross_entropy": lambda: functional.cross_entropy(signal, wanted),
        "kullback_leibler": lambda: functional.kl_div(outputs.log(), wanted, reduction="batchmean"),
        "cosine_distance": lambda: 1 - functional.cosine_similarity(outputs, wanted).mean(),
    }[loss]()
    value.backward()
    expected = np.concatenate([leaf.grad.numpy().ravel() for leaf in leaves])
    assert gradient.vector == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_training_and_serving_share_one_forward_pass(activation: str) -> None:
    parameters = network(activation, np.float32)
    pixels = np.random.default_rng(0).random((9, 7), np.float32)
    buffers = Buffers(parameters.layers, 9)
    forward_rows(parameters.layers, pixels, buffers, slice(None))
    for mine, served in zip(buffers.activations, forward(parameters.layers, pixels), strict=True):
        assert np.array_equal(mine, served)
    assert {one.dtype for one in buffers.slopes} == {np.dtype(np.float32)}  # as wide as the weights


def step_gradient(config: TrainingConfig, parameters: Parameters, rows: int) -> np.ndarray:
    """Return the change that one step of plain gradient descent at rate 1 makes, turned round."""
    pixels, targets = batch("softmax", rows)
    before = parameters.vector.copy()
    descent = MomentumSGD(len(before), momentum=0, dtype=np.float64)
    with Stepper(parameters, descent, None, config, rows) as stepper:
        stepper.step(pixels, targets, 1.0, (0,))
    return before - parameters.vector


@pytest.mark.parametrize("rows", [1, 2, 5, 6])
@pytest.mark.parametrize("beside", [True, False])
def test_two_halves_give_the_whole_gradient(rows: int, beside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.training.step.WORTH_A_THREAD", 0 if beside else 1e9)
    _, expected = gradients(network("tanh"), *batch("softmax", rows), "cross_entropy", "softmax")
    found = step_gradient(TrainingConfig(), network("tanh"), rows)
    assert found == pytest.approx(expected.vector, abs=1e-12)


def test_penalties_are_part_of_the_gradient() -> None:
    config = TrainingConfig(l1=0.03, l2=0.2)
    parameters = network("tanh")
    pixels, targets = batch("softmax")

    def penalized() -> float:
        logits = forward(parameters.layers, pixels)[-1]
        loss = loss_and_gradient("cross_entropy", "softmax", logits, targets)[0].mean()
        return float(loss) + penalty(parameters, config.l1, config.l2)

    numeric = central_differences(penalized, parameters.vector)
    assert_gradient(step_gradient(config, parameters, 6), numeric)


def test_weight_decay_shrinks_weights_and_leaves_biases() -> None:
    plain, decayed = network("tanh"), network("tanh")
    step_gradient(TrainingConfig(), plain, 6)
    step_gradient(TrainingConfig(weight_decay=0.1), decayed, 6)
    start = network("tanh")
    for one, other, first in zip(plain.layers, decayed.layers, start.layers, strict=True):
        assert other.weights == pytest.approx(one.weights - 0.1 * first.weights)
        assert other.biases == pytest.approx(one.biases)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dropout_has_the_gradient_of_the_thinned_network(activation: str) -> None:
    parameters = network(activation)
    pixels, targets = batch("softmax")
    buffers = Buffers(parameters.layers, 6)

    def thinned() -> float:
        logits = forward_rows(parameters.layers, pixels, buffers, slice(None), 0.4, np.random.default_rng(8))
        return float(loss_and_gradient("cross_entropy", "softmax", logits, targets)[0].sum())

    thinned()
    buffers.slopes[-1][...] = loss_and_gradient("cross_entropy", "softmax", buffers.activations[-1], targets)[
        1
    ]
    backward_rows(parameters.layers, buffers, slice(None), 0.4)
    found = pixels.T @ buffers.slopes[0]
    assert_gradient(found, central_differences(thinned, parameters.layers[0].weights))


def test_dropout_silences_its_share_and_keeps_the_mean() -> None:
    parameters = initialize((4, 2000, 2), "linear", np.random.default_rng(0))
    parameters.layers[0].weights[...] = 0
    parameters.layers[0].biases[...] = 1
    buffers = Buffers(parameters.layers, 10)
    forward_rows(
        parameters.layers, np.zeros((10, 4), np.float32), buffers, slice(None), 0.3, np.random.default_rng(0)
    )
    assert np.mean(buffers.activations[0] == 0) == pytest.approx(0.3, abs=0.02)
    assert buffers.activations[0].mean() == pytest.approx(1, abs=0.03)


def test_soft_temperature_keeps_the_size_of_slopes() -> None:
    # Hinton's T^2: for a large T the gradient tends to (z - mean z) / k - (t - 1/k) T, all of order 1 in z.
    heated, plain = network("tanh"), network("tanh")
    pixels, targets = batch("softmax")
    logits = forward(plain.layers, pixels)[-1]
    expected = (loss_and_gradient("cross_entropy", "softmax", logits / 3, targets)[1] * 3 / 6).sum(axis=0)
    change = step_gradient(TrainingConfig(soft_temperature=3.0), heated, 6)
    assert heated.like(change).layers[-1].biases == pytest.approx(expected)
