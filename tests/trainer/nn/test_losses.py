"""Every supported pair of loss and output has the right gradient, by two independent checks."""

import numpy as np
import pytest

from tests.trainer.nn.differences import assert_gradient, central_differences
from trainer.nn import OUTPUTS_OF, activate, loss_and_gradient, one_hot

# A step has no slope: the perceptron's rule has tests of its own.
PAIRS = [(loss, output) for loss, outputs in OUTPUTS_OF.items() for output in outputs if output != "step"]


def batch(output: str, rows: int = 5, columns: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and targets, float64: probabilities where the output gives some."""
    rng = np.random.default_rng(7)
    logits = rng.normal(0, 2, (rows, columns))
    targets = (
        rng.dirichlet(np.ones(columns), rows)
        if output in ("softmax", "sigmoid")
        else rng.normal(size=logits.shape)
    )
    return logits, targets


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_gradients_match_central_differences(loss: str, output: str) -> None:
    logits, targets = batch(output)
    _, gradient = loss_and_gradient(loss, output, logits, targets)
    numeric = central_differences(
        lambda: float(loss_and_gradient(loss, output, logits, targets)[0].sum()), logits
    )
    assert_gradient(gradient, numeric)


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_losses_and_gradients_match_pytorch(loss: str, output: str) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install -r tests/requirements-torch.txt")
    functional = torch.nn.functional
    logits, targets = batch(output)
    inputs = torch.tensor(logits, requires_grad=True)
    wanted = torch.tensor(targets)
    outputs = {
        "linear": lambda z: z,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "leaky_relu": lambda z: functional.leaky_relu(z, float(np.float32(0.01))),
        "softmax": lambda z: functional.softmax(z, dim=1),
    }[output](inputs)
    rows = {
        "mean_squared_error": lambda: functional.mse_loss(outputs, wanted, reduction="none").mean(dim=1),
        "binary_cross_entropy": lambda: functional.binary_cross_entropy(
            outputs, wanted, reduction="none"
        ).mean(dim=1),
        "cross_entropy": lambda: functional.cross_entropy(inputs, wanted, reduction="none"),
        "kullback_leibler": lambda: functional.kl_div(outputs.log(), wanted, reduction="none").sum(dim=1),
        "cosine_distance": lambda: 1 - functional.cosine_similarity(outputs, wanted, dim=1),
    }[loss]()
    rows.sum().backward()
    found, gradient = loss_and_gradient(loss, output, logits, targets)
    assert found == pytest.approx(rows.detach().numpy(), rel=1e-6, abs=1e-9)
    assert gradient == pytest.approx(inputs.grad.numpy(), rel=1e-6, abs=1e-9)


def test_softmax_matches_a_worked_example() -> None:
    # exp(0) : exp(ln 2) : exp(ln 5) = 1 : 2 : 5, of 8.
    outputs = activate("softmax", np.log(np.array([[1.0, 2.0, 5.0]])))
    assert outputs == pytest.approx(np.array([[1 / 8, 2 / 8, 5 / 8]]))


def test_cross_entropy_matches_a_worked_example() -> None:
    # Probabilities 1/8, 2/8, 5/8 and the truth is the last: -ln(5/8); slope: probability - target.
    rows, gradient = loss_and_gradient(
        "cross_entropy", "softmax", np.log(np.array([[1.0, 2.0, 5.0]])), np.array([[0.0, 0.0, 1.0]])
    )
    assert rows == pytest.approx([-np.log(5 / 8)])
    assert gradient == pytest.approx(np.array([[1 / 8, 2 / 8, -3 / 8]]))


def test_cross_entropy_counts_targets_that_do_not_sum_to_one() -> None:
    # Two of three classes are wanted: -ln(1/8) - ln(5/8), and twice the probabilities minus the targets.
    rows, gradient = loss_and_gradient(
        "cross_entropy", "softmax", np.log(np.array([[1.0, 2.0, 5.0]])), np.array([[1.0, 0.0, 1.0]])
    )
    assert rows == pytest.approx([-np.log(1 / 8) - np.log(5 / 8)])
    assert gradient == pytest.approx(np.array([[2 / 8 - 1, 4 / 8, 10 / 8 - 1]]))


def test_each_row_is_shifted_by_its_own_maximum() -> None:
    logits = np.array([[0.0, 1.0], [1000.0, 1001.0]])  # the same probabilities, far apart
    rows, gradient = loss_and_gradient("cross_entropy", "softmax", logits, np.array([[1.0, 0.0]] * 2))
    assert rows == pytest.approx([np.log(1 + np.e)] * 2)
    assert gradient[0] == pytest.approx(gradient[1])


@pytest.mark.parametrize(
    ("loss", "output", "expected"),
    [("cross_entropy", "softmax", 2000), ("binary_cross_entropy", "sigmoid", 1000)],
)
def test_a_confident_mistake_costs_as_much_as_it_is_confident(loss: str, output: str, expected: int) -> None:
    logits, targets = np.array([[1000.0, -1000.0]]), np.array([[0.0, 1.0]])
    rows, _ = loss_and_gradient(loss, output, logits, targets)
    assert rows == pytest.approx([expected])  # not the logarithm of the smallest number that is kept from 0


def test_a_step_unit_is_on_from_zero() -> None:
    outputs = activate("step", np.array([[-0.5, 0.0, 0.5]], np.float32))
    assert outputs.tolist() == [[0, 1, 1]]
    assert outputs.dtype == np.float32


def test_divergence_of_equal_distributions_is_zero() -> None:
    targets = np.array([[0.1, 0.2, 0.7], [0.0, 0.5, 0.5]])
    with np.errstate(divide="ignore"):
        logits = np.log(targets + 1e-300)
    rows, gradient = loss_and_gradient("kullback_leibler", "softmax", logits, targets)
    assert rows == pytest.approx([0, 0], abs=1e-12)
    assert gradient == pytest.approx(np.zeros((2, 3)), abs=1e-12)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@pytest.mark.parametrize("loss", OUTPUTS_OF)
def test_confident_mistake_has_a_large_finite_loss(loss: str, output: str) -> None:
    if output not in OUTPUTS_OF[loss]:
        return
    logits = np.array([[1000.0, -1000.0]], np.float32)
    rows, gradient = loss_and_gradient(loss, output, logits, np.array([[0.0, 1.0]], np.float32))
    assert np.isfinite(rows).all()
    assert rows[0] > 0.5
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_float32_stays_float32(loss: str, output: str) -> None:
    logits, targets = (array.astype(np.float32) for array in batch(output))
    rows, gradient = loss_and_gradient(loss, output, logits, targets)
    assert rows.dtype == gradient.dtype == np.float32


def test_perceptron_rule_moves_only_wrong_units() -> None:
    logits, targets = np.array([[2.0, -3.0, 0.5, -0.25]]), np.array([[1.0, 0.0, 0.0, 1.0]])
    rows, gradient = loss_and_gradient("perceptron", "step", logits, targets)
    assert activate("step", logits).tolist() == [[1, 0, 1, 0]]
    assert gradient.tolist() == [[0, 0, 1, -1]]  # y - t: Rosenblatt's w += x (t - y) is a step against it
    assert rows.tolist() == [0.75]  # |0.5| + |-0.25|


def test_perceptron_loss_has_its_rule_as_gradient() -> None:
    logits, targets = batch("sigmoid")
    targets = np.rint(targets)
    _, gradient = loss_and_gradient("perceptron", "step", logits, targets)
    numeric = central_differences(
        lambda: float(loss_and_gradient("perceptron", "step", logits, targets)[0].sum()), logits
    )
    assert_gradient(gradient, numeric)


def test_one_hot_is_one_at_the_label() -> None:
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert one_hot(np.array([9])).tolist() == [[0] * 9 + [1]]  # digits, unless told otherwise
