"""Each optimizer matches its paper, on numbers worked by hand and against PyTorch."""

import numpy as np
import pytest

from trainer.nn import Optimizer, WeightAverage, initialize, make_optimizer
from trainer.nn.optimizers import BLOCK, Adam, MomentumSGD, RMSprop
from trainer.training import TrainingConfig, learning_rate


def after(optimizer: Optimizer, gradients: list[float], rate: float) -> list[float]:
    """Return the parameter, which starts at 1, after each step."""
    parameters = np.array([1.0])
    values = []
    for gradient in gradients:
        optimizer.update(parameters, np.array([gradient]), rate)
        values.append(float(parameters[0]))
    return values


def test_momentum_matches_a_worked_example() -> None:
    # v = 2, p = 1 - 0.1 x 2 = 0.8; v = 0.9 x 2 + 1 = 2.8, p = 0.8 - 0.28 = 0.52
    assert after(MomentumSGD(1, 0.9, dtype=np.float64), [2, 1], 0.1) == pytest.approx([0.8, 0.52])


def test_nesterov_matches_a_worked_example() -> None:
    # v = 2, p = 1 - 0.1 (2 + 0.9 x 2) = 0.62; v = 2.8, p = 0.62 - 0.1 (1 + 0.9 x 2.8) = 0.268
    found = after(MomentumSGD(1, 0.9, nesterov=True, dtype=np.float64), [2, 1], 0.1)
    assert found == pytest.approx([0.62, 0.268])


def test_rmsprop_matches_a_worked_example() -> None:
    # s = 0.1 x 4 = 0.4, p = 1 - 0.1 x 2 / sqrt(0.4) = 0.6837722
    # s = 0.36 + 0.1 = 0.46, p = 0.6837722 - 0.1 / sqrt(0.46) = 0.5363299
    assert after(RMSprop(1, dtype=np.float64), [2, 1], 0.1) == pytest.approx([0.6837722, 0.5363299])


def test_adam_matches_a_worked_example() -> None:
    # Step 1: m = 0.2, v = 0.004; corrected 0.2 / 0.1 = 2 and 0.004 / 0.001 = 4; p = 1 - 0.1 x 2 / 2 = 0.9.
    # Step 2: m = 0.18 + 0.1 = 0.28, v = 0.003996 + 0.001 = 0.004996;
    #         corrected 0.28 / 0.19 = 1.4736842 and 0.004996 / 0.001999 = 2.4992496;
    #         p = 0.9 - 0.1 x 1.4736842 / 1.5809015 = 0.8067820.
    assert after(Adam(1, dtype=np.float64), [2, 1], 0.1) == pytest.approx([0.9, 0.8067820])


@pytest.mark.parametrize("scale", [1.0, 1e-8])  # the second: as small as what is added to the divisor
@pytest.mark.parametrize("name", ["sgd", "nesterov", "rmsprop", "adam", "adamw"])
def test_ten_steps_agree_with_pytorch(name: str, scale: float) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install -r tests/requirements-torch.txt")
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=50), scale * rng.normal(size=(10, 50))
    theirs = torch.tensor(start, requires_grad=True)
    reference = {
        "sgd": lambda: torch.optim.SGD([theirs], 0.01, momentum=0.9),
        "nesterov": lambda: torch.optim.SGD([theirs], 0.01, momentum=0.9, nesterov=True),
        "rmsprop": lambda: torch.optim.RMSprop([theirs], 0.01, alpha=0.9),
        "adam": lambda: torch.optim.Adam([theirs], 0.01),
        "adamw": lambda: torch.optim.AdamW([theirs], 0.01, weight_decay=0),
    }[name]()
    ours = start.astype(np.float32)
    optimizer = make_optimizer(name, 50, 0.9)
    for gradient in gradients:
        theirs.grad = torch.tensor(gradient)
        reference.step()
        optimizer.update(ours, gradient.astype(np.float32), 0.01)
    assert ours == pytest.approx(theirs.detach().numpy(), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("kind", [MomentumSGD, RMSprop, Adam])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_state_has_the_type_of_the_parameters(kind: type, dtype: type) -> None:
    optimizer = kind(3, 0.9, dtype=dtype)
    assert {values.dtype for values in optimizer.state.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize("name", ["sgd", "nesterov", "rmsprop", "adam"])
def test_parts_make_the_same_step_as_the_whole(name: str) -> None:
    rng = np.random.default_rng(1)
    length = 2 * BLOCK + 100
    start, gradients = (
        rng.normal(size=length).astype(np.float32),
        rng.normal(size=(3, length)).astype(np.float32),
    )
    whole, parts = start.copy(), start.copy()
    one, other = make_optimizer(name, length, 0.9), make_optimizer(name, length, 0.9)
    for gradient in gradients:
        one.update(whole, gradient.copy(), 0.01)
        other.begin_step(0.01)
        for part in (slice(777, length), slice(0, 777)):
            other.change(parts, gradient.copy(), part)
    assert np.array_equal(whole, parts)
    assert not np.array_equal(whole, start)


def test_average_warms_up_and_then_decays() -> None:
    # Step 1: decay min(0.5, 2/11), so 0 moves 9/11 of the way to 11: 9.
    # Step 2: min(0.5, 3/12), so 9 moves 3/4 of the way: 10.5.
    average = WeightAverage(np.zeros(1), 0.5)
    for expected in (9, 10.5):
        average.begin_step()
        average.change(np.array([11.0]), slice(0, 1))
        assert average.vector == pytest.approx([expected])


def test_average_of_several_blocks_is_that_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    vector = np.arange(8.0)
    whole, blocks = WeightAverage(np.zeros(8), 0.5), WeightAverage(np.zeros(8), 0.5)
    for average, block in ((whole, 100), (blocks, 3)):
        monkeypatch.setattr("trainer.nn.optimizers.BLOCK", block)
        average.begin_step()
        average.change(vector, slice(0, 8))
    assert blocks.vector.tolist() == whole.vector.tolist()


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", {0: 8, 9: 8, 10: 8, 25: 8, 40: 8}),
        ("step", {0: 8, 9.99: 8, 10: 4, 25: 2, 40: 0.5}),
        ("exponential", {0: 8, 5: 8 * 0.5**0.5, 10: 4, 40: 0.5}),
        ("cosine", {0: 8, 10: 8 * (1 + 0.5**0.5) / 2, 20: 4, 40: 0, 60: 0}),
    ],
)
def test_schedules_match_worked_examples(schedule: str, rates: dict[float, float]) -> None:
    config = TrainingConfig(epochs=40, learning_rate=8, schedule=schedule, decay=0.5, decay_epochs=10)
    for epoch, rate in rates.items():
        assert learning_rate(config, epoch) == pytest.approx(rate, abs=1e-12)


def test_rate_rises_linearly_during_warm_up() -> None:
    config = TrainingConfig(epochs=20, learning_rate=8, warm_up=4)
    assert [learning_rate(config, epoch) for epoch in (0, 1, 2, 4)] == pytest.approx([0, 2, 4, 8])
    assert learning_rate(config, 12) == pytest.approx(4)  # the middle of what is left


@pytest.mark.parametrize(
    ("initialization", "activation", "deviation"),
    [
        ("auto", "relu", (2 / 400) ** 0.5),
        ("auto", "leaky_relu", (2 / 400) ** 0.5),
        ("auto", "tanh", (2 / 700) ** 0.5),
        ("he", "tanh", (2 / 400) ** 0.5),
        ("glorot", "relu", (2 / 700) ** 0.5),
        ("plain", "relu", 0.05),
    ],
)
def test_initial_weights_have_their_spread(initialization: str, activation: str, deviation: float) -> None:
    parameters = initialize(
        (400, 300, 10), activation, np.random.default_rng(0), initialization=initialization
    )
    assert parameters.layers[0].weights.std() == pytest.approx(deviation, rel=0.02)
    assert parameters.layers[0].weights.mean() == pytest.approx(0, abs=deviation / 50)
    assert not parameters.layers[0].biases.any()
    assert parameters.layers[-1].activation == "linear"


def test_only_the_output_layer_starts_a_tenth_as_large() -> None:
    layers = initialize((400, 300, 200, 10), "relu", np.random.default_rng(0)).layers
    assert layers[1].weights.std() == pytest.approx((2 / 300) ** 0.5, rel=0.02)
    assert layers[2].weights.std() == pytest.approx(0.1 * (2 / 210) ** 0.5, rel=0.05)


def test_layers_are_views_of_the_vector() -> None:
    parameters = initialize((3, 2, 2), "relu", np.random.default_rng(0))
    assert len(parameters.vector) == 3 * 2 + 2 + 2 * 2 + 2
    parameters.vector[...] = np.arange(14)
    assert parameters.layers[0].weights.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert parameters.layers[1].biases.tolist() == [12, 13]
    assert parameters.starts == [0, 8]
