"""Train a convolutional teacher with PyTorch, on the very batches that other trainings see.

    batches.epoch_batches -> AdamW, average of the weights -> judged on validation images
    average -> batch normalisation folded into the weights -> convolution.serialize -> bytes

Same seed, same data, same library versions: same file, also when interrupted and resumed.
"""

import copy
import dataclasses
import io
import math
import pickle  # for the name of its error alone; nothing is unpickled  # nosec B403
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.datasets import CLASSES, Dataset, Examples, hold_out
from trainer.distillation.convolution import KERNEL, PAIR, Convolution, Kernel, serialize, torch_module
from trainer.errors import TrainerError, UsageError
from trainer.nn.losses import loss_and_gradient, one_hot
from trainer.publishing.export import trained_on
from trainer.run import Session, with_drawn
from trainer.training.batches import epoch_batches
from trainer.training.checkpoint import put_checkpoint
from trainer.training.config import TrainingConfig
from trainer.training.loop import batch_rows
from trainer.training.memory import keep_freed_memory
from trainer.training.progress import Progress
from trainer.training.schedules import learning_rate

CHANNELS = (16, 32, 64)
# What a recipe may say of a convolutional teacher; the optimiser is AdamW, the loss cross-entropy.
TEACHER_SETTINGS = (
    *("hidden", "epochs", "batch_size", "learning_rate", "schedule", "warm_up", "decay", "decay_epochs"),
    *("weight_decay", "dropout", "averaging", "label_smoothing", "validation", "drawn", "seed", "split_seed"),
)
# What torch.load and load_state_dict raise for files that are none, or of another network.
UNREADABLE = (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError)


@dataclass
class Teaching:
    """All that one epoch hands to the next; what a checkpoint keeps."""

    network: Any
    average: Any
    optimizer: Any
    epoch: int = 0
    steps: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def teach(dataset: Dataset, config: TrainingConfig, channels: tuple[int, ...], session: Session) -> bytes:
    """Train a convolutional teacher and return the bytes of its file.

    channels: width of each pair of convolutions, after which the picture is halved. Raises TrainerError.
    """
    _refuse_unused(config)
    if dataset.geometry.side // 2 ** len(channels) < 1:
        raise UsageError(f"{dataset.geometry.side} pixels cannot be halved {len(channels)} times")
    examples, validation = hold_out(dataset.train, config.validation, config.split_seed)
    if not len(examples):
        raise TrainerError(f"{dataset.name} has no training image left after the validation split")
    shown = with_drawn(examples, dataset, config)
    settings = {"config": dataclasses.asdict(config), "channels": list(channels), "sources": dataset.sources}
    keep_freed_memory()
    state = begin(dataset.geometry.side, channels, config)
    if session.resume and session.checkpoint.exists():
        _read_checkpoint(session.checkpoint, state, settings)
    with Progress(
        session.name, len(shown), config.epochs, state.epoch, quiet=session.quiet, log=session.log
    ) as progress:
        while state.epoch < config.epochs:
            figures = train_epoch(state, shown, dataset, config, progress)
            state.epoch += 1
            state.history.append({"epoch": state.epoch, **figures, **judged(state, dataset, validation)})
            _write_checkpoint(session.checkpoint, state, settings)
            progress.epoch(state.history[-1])
    metadata = settings | {
        "input": dataset.geometry._asdict(),
        "command": session.command,
        "dataset": dataset.name,
        "trained_on": trained_on(),
        "libraries": {"numpy": np.__version__, "torch": str(torch_module().__version__)},
        "validation": judged(state, dataset, validation),
    }
    return serialize(folded(state.average), metadata)


def _refuse_unused(config: TrainingConfig) -> None:
    """Raise UsageError for a setting that would be silently ignored."""
    for item in dataclasses.fields(config):
        used = item.name in (*TEACHER_SETTINGS, "augmentation")
        if not used and getattr(config, item.name) != item.default:
            raise UsageError(f"a convolutional teacher has no setting {item.name!r}")


def begin(side: int, channels: tuple[int, ...], config: TrainingConfig) -> Teaching:
    """Return the state before the first epoch."""
    torch = torch_module()
    torch.manual_seed(_seed(config, 0))
    network = build(side, channels, config).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    return Teaching(network, copy.deepcopy(network), optimizer)


def _seed(config: TrainingConfig, stage: int) -> int:
    """Return what seeds PyTorch: first weights at stage 0, the dropout of an epoch at stage epoch + 1."""
    return int(np.random.SeedSequence((config.seed, stage)).generate_state(1)[0])


def build(side: int, channels: tuple[int, ...], config: TrainingConfig) -> Any:
    """Return an untrained network of pairs of convolutions and dense layers."""
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
    state: Teaching, examples: Examples, dataset: Dataset, config: TrainingConfig, progress: Progress
) -> dict[str, float]:
    """Take the steps of one epoch and return its loss and accuracy, on the batches as they were."""
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
        # Half precision halves the memory traffic, which is what convolutions of few channels wait for.
        with torch.autocast("cpu", torch.bfloat16):
            logits = state.network(pictures.to(memory_format=torch.channels_last)).float()
        mean = torch.nn.functional.cross_entropy(logits, wanted)
        state.optimizer.zero_grad()
        mean.backward()
        state.optimizer.step()
        _follow(state, config.averaging)
        if not math.isfinite(mean.item()):
            raise TrainerError(
                f"the loss became {mean.item()} in epoch {state.epoch + 1}. Lower --learning-rate"
            )
        loss += mean.item() * len(pixels)
        right += int((logits.argmax(1) == wanted.argmax(1)).sum())
        progress.batch(len(pixels))
    return {"loss": loss / len(examples), "learning_rate": rate, "accuracy": right / len(examples)}


def _follow(state: Teaching, decay: float) -> None:
    """Move the average towards the network, as `optimizers.WeightAverage` does; decay 0: all the way."""
    state.steps += 1
    share = 1 - min(decay, (1 + state.steps) / (10 + state.steps))
    network = state.network.state_dict()
    for name, values in state.average.state_dict().items():
        if values.is_floating_point():  # the running means of batch normalisation as well
            values.lerp_(network[name], share)


def folded(network: Any) -> list[Kernel]:
    """Return the layers with each batch normalisation, as it is after training, inside its convolution.

    g (w x - m) / s + b = (g / s) w x + (b - g m / s), with s = sqrt(variance + epsilon).
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


def judged(state: Teaching, dataset: Dataset, validation: Examples) -> dict[str, float]:
    """Return loss and accuracy on the held-out examples of what would be written now; nothing if none."""
    if not len(validation):
        return {}
    logits = Convolution(folded(state.average), dataset.geometry).logits(validation.pixels)
    losses, _ = loss_and_gradient("cross_entropy", "softmax", logits, one_hot(validation.labels, CLASSES))
    right = logits.argmax(axis=1) == validation.labels
    return {
        "validation_loss": float(losses.mean(dtype=np.float64)),
        "validation_accuracy": float(right.mean()),
    }


def _write_checkpoint(path: Path, state: Teaching, settings: dict[str, Any]) -> None:
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
    put_checkpoint(path, buffer.getvalue())


def _read_checkpoint(path: Path, state: Teaching, settings: dict[str, Any]) -> None:
    """Bring `state` to that in the checkpoint; raise TrainerError if it is of another training."""
    try:
        content = torch_module().load(path, weights_only=True)  # builds tensors and runs no code
        if content["settings"] != settings:
            raise TrainerError(f"{path} was written with other settings or data; use those, or remove it")
        state.network.load_state_dict(content["network"])
        state.average.load_state_dict(content["average"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.epoch, state.steps, state.history = (content[key] for key in ("epoch", "steps", "history"))
    except UNREADABLE as error:
        raise TrainerError(
            f"the checkpoint {path} cannot be read: {str(error).splitlines()[0]}. Teach without --resume"
        ) from error
