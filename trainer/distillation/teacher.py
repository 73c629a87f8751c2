"""Training of a convolutional teacher with PyTorch, on the same batches as every other training.

    epoch_batches -> AdamW, average of the weights -> validated on held-out images
    average -> batch normalization folded into the weights -> convolution.serialize -> bytes

The same seed, data and library versions give the same file, even after an interruption.
"""

import copy
import dataclasses
import io
import math
import pickle  # only for the name of its error; nothing is unpickled  # nosec B403
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data import CLASSES, Dataset, Examples, hold_out
from trainer.distillation.convolution import KERNEL, PAIR, Convolution, Kernel, serialize, torch_module
from trainer.errors import TrainerError, UsageError
from trainer.nn import loss_and_gradient, one_hot
from trainer.training import (
    TEACHER_SETTINGS,
    Progress,
    Session,
    TrainingConfig,
    batch_rows,
    epoch_batches,
    keep_freed_memory,
    learning_rate,
    save_checkpoint,
    trained_on,
    with_drawn,
)

# What torch.load and load_state_dict raise for other files, and for those of other networks.
UNREADABLE = (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError)


@dataclass
class TeacherState:
    """Everything that one epoch passes to the next; a checkpoint stores it.

    network, average: PyTorch modules of the same shape. epoch, steps: how many are done. history: one
    entry per epoch.
    """

    network: Any
    average: Any
    optimizer: Any
    epoch: int = 0
    steps: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def train_teacher(
    dataset: Dataset, config: TrainingConfig, channels: tuple[int, ...], session: Session
) -> bytes:
    """Train a convolutional teacher and return the bytes of its file.

    channels: width of each pair of convolutions; the picture is halved after each pair. Raises UsageError
    for settings that do not apply and without PyTorch, TrainerError if there is nothing to train on, if
    the loss becomes infinite or NaN, or if the checkpoint or the log cannot be used.
    """
    _refuse_unused(config)
    torch_module()  # to say that it is missing before ten seconds of drawing
    if dataset.geometry.side // 2 ** len(channels) < 1:
        raise UsageError(f"{dataset.geometry.side} pixels cannot be halved {len(channels)} times")
    examples, validation = hold_out(dataset.train, config.validation, config.split_seed)
    if not len(examples):
        raise TrainerError(f"{dataset.name} has no training image left after the validation split")
    shown = with_drawn(examples, dataset, config)
    settings = {"config": dataclasses.asdict(config), "channels": list(channels), "sources": dataset.sources}
    keep_freed_memory()
    state = initial_teacher(dataset.geometry.side, channels, config)
    if session.resume and session.checkpoint.exists():
        _read_checkpoint(session.checkpoint, state, settings)
    elif not session.resume:
        session.set_aside()
    with Progress(
        session.name, len(shown), config.epochs, state.epoch, quiet=session.quiet, log=session.log
    ) as progress:
        while state.epoch < config.epochs:
            figures = train_epoch(state, shown, dataset, config, progress)
            state.epoch += 1
            state.history.append(
                {"epoch": state.epoch, **figures, **validate_teacher(state, dataset, validation)}
            )
            _write_checkpoint(session.checkpoint, state, settings)
            progress.epoch(state.history[-1])
    metadata = settings | {
        "input": dataset.geometry._asdict(),
        "command": session.command,
        "dataset": dataset.name,
        "trained_on": trained_on(),
        "libraries": {"numpy": np.__version__, "torch": str(torch_module().__version__)},
        "validation": validate_teacher(state, dataset, validation),
    }
    return serialize(folded(state.average), metadata)


def _refuse_unused(config: TrainingConfig) -> None:
    """Raise UsageError for a setting that would have no effect."""
    unset = TrainingConfig()
    for item in dataclasses.fields(config):
        used = item.name in (*TEACHER_SETTINGS, "augmentation")
        if not used and getattr(config, item.name) != getattr(unset, item.name):
            raise UsageError(f"a convolutional teacher has no setting {item.name!r}")


def initial_teacher(side: int, channels: tuple[int, ...], config: TrainingConfig) -> TeacherState:
    """Return the state before the first epoch."""
    torch = torch_module()
    torch.manual_seed(_seed(config, 0))
    network = build(side, channels, config).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    return TeacherState(network, copy.deepcopy(network), optimizer)


def _seed(config: TrainingConfig, stage: int) -> int:
    """Return the seed for PyTorch: stage 0 for the initial weights, epoch + 1 for the dropout."""
    return int(np.random.SeedSequence((config.seed, stage)).generate_state(1)[0])


def build(side: int, channels: tuple[int, ...], config: TrainingConfig) -> Any:
    """Return an untrained network of pairs of convolutions and dense layers; side: in pixels."""
    nn = torch_module().nn
    layers: list[Any] = []
    width = 1
    for wider in channels:
        for _ in range(PAIR):
            convolution = nn.Conv2d(width, wider, KERNEL, padding=KERNEL // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(wider), nn.ReLU(inplace=True)]
            width = wider
        layers.append(nn.MaxPool2d(2))
        side //= 2
    layers.append(nn.Flatten())
    width *= side * side
    for units in config.hidden:
        layers += [nn.Linear(width, units), nn.ReLU(inplace=True), nn.Dropout(config.dropout)]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


def train_epoch(
    state: TeacherState, examples: Examples, dataset: Dataset, config: TrainingConfig, progress: Progress
) -> dict[str, float]:
    """Take the steps of one epoch and return its mean loss, last learning rate and accuracy.

    Each batch is scored before its step. Raises TrainerError if the loss becomes infinite or NaN.
    """
    torch = torch_module()
    torch.manual_seed(_seed(config, state.epoch + 1))
    state.network.train()
    side, steps = dataset.geometry.side, -(-len(examples) // batch_rows(len(examples), config))
    loss, right, rate = 0.0, 0, 0.0
    for index, (pixels, targets) in enumerate(epoch_batches(examples, dataset.geometry, config, state.epoch)):
        rate = learning_rate(config, state.epoch + (index + (config.warm_up > 0)) / steps)
        state.optimizer.param_groups[0]["lr"] = rate
        pictures = torch.from_numpy(pixels).reshape(-1, 1, side, side)
        wanted = torch.from_numpy(targets)
        # Convolutions of few channels are memory-bound, and bfloat16 halves the traffic.
        with torch.autocast("cpu", torch.bfloat16):
            logits = state.network(pictures.to(memory_format=torch.channels_last)).float()
        mean = torch.nn.functional.cross_entropy(logits, wanted)
        state.optimizer.zero_grad()
        mean.backward()
        state.optimizer.step()
        _update_average(state, config.averaging)
        if not math.isfinite(mean.item()):
            raise TrainerError(
                f"the loss became {mean.item()} in epoch {state.epoch + 1}. Lower --learning-rate"
            )
        loss += mean.item() * len(pixels)
        right += int((logits.argmax(1) == wanted.argmax(1)).sum())
        progress.batch(len(pixels))
    return {"loss": loss / len(examples), "learning_rate": rate, "accuracy": right / len(examples)}


def _update_average(state: TeacherState, decay: float) -> None:
    """Move the average toward the network like `WeightAverage`; decay 0 copies the network."""
    state.steps += 1
    share = 1 - min(decay, (1 + state.steps) / (10 + state.steps))
    network = state.network.state_dict()
    for name, values in state.average.state_dict().items():
        if values.is_floating_point():  # includes the running means of batch normalization
            values.lerp_(network[name], share)


def folded(network: Any) -> list[Kernel]:
    """Return the layers with each batch normalization folded into its convolution.

    g (w x - m) / s + b = (g / s) w x + (b - g m / s), with s = sqrt(variance + epsilon), the gain g, the
    bias b and the running mean m.
    """
    nn = torch_module().nn
    layers, convolution = [], None
    for one in network:
        if isinstance(one, nn.Conv2d):
            convolution = one.weight.detach().numpy()
        elif isinstance(one, nn.BatchNorm2d):
            mean, variance = one.running_mean.numpy(), one.running_var.numpy()
            gain = one.weight.detach().numpy() / np.sqrt(variance + np.float32(one.eps))
            biases = one.bias.detach().numpy() - gain * mean
            layers.append(Kernel(np.ascontiguousarray(convolution * gain[:, None, None, None]), biases))
        elif isinstance(one, nn.Linear):
            layers.append(Kernel(one.weight.detach().numpy().copy(), one.bias.detach().numpy().copy()))
    return layers


def validate_teacher(state: TeacherState, dataset: Dataset, validation: Examples) -> dict[str, float]:
    """Return loss and accuracy of the current average on the held-out examples; {} if there are none."""
    if not len(validation):
        return {}
    logits = Convolution(folded(state.average), dataset.geometry).logits(validation.pixels)
    losses, _ = loss_and_gradient("cross_entropy", "softmax", logits, one_hot(validation.labels, CLASSES))
    right = logits.argmax(axis=1) == validation.labels
    return {
        "validation_loss": float(losses.mean(dtype=np.float64)),
        "validation_accuracy": float(right.mean()),
    }


def _write_checkpoint(path: Path, state: TeacherState, settings: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    content = {
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "epoch": state.epoch,
        "steps": state.steps,
        "history": state.history,
        "settings": settings,
    }
    torch_module().save(content, buffer)
    save_checkpoint(path, buffer.getvalue())


def _read_checkpoint(path: Path, state: TeacherState, settings: dict[str, Any]) -> None:
    """Fill `state` from the checkpoint; raise TrainerError if it belongs to another training."""
    try:
        content = torch_module().load(path, weights_only=True)  # builds tensors and runs no code
        if content["settings"] != settings:
            raise TrainerError(
                f"{path} was written with other settings or data; use the same ones, or remove it"
            )
        state.network.load_state_dict(content["network"])
        state.average.load_state_dict(content["average"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.epoch, state.steps, state.history = (content[key] for key in ("epoch", "steps", "history"))
    except UNREADABLE as error:
        raise TrainerError(
            f"the checkpoint {path} cannot be read: {str(error).splitlines()[0]}. Teach without --resume"
        ) from error
