"""Hyper-parameters: one frozen dataclass that the artifact keeps whole.

recipe (TOML), flags -> TrainingConfig -> training, and as a dictionary into the artifact's metadata
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.model.network import ACTIVATIONS
from trainer.data import Augmentation
from trainer.nn import OUTPUTS_OF
from trainer.nn.losses import ANY_OUTPUT

# The settings of a convolutional teacher; its optimizer is AdamW and its loss is cross-entropy.
TEACHER_SETTINGS = (
    *("hidden", "epochs", "batch_size", "learning_rate", "schedule", "warm_up", "decay", "decay_epochs"),
    *("weight_decay", "dropout", "averaging", "label_smoothing", "validation", "drawn", "seed", "split_seed"),
)
TEACHER_CHANNELS = (16, 32, 64)  # default width of each pair of convolutions
# The settings of the rejector, under the names that artifacts keep: "judge" is the rejector.
REJECTOR_SETTINGS = ("outliers", "judge_units")


def _setting(default: Any, help: str, **extra: Any) -> Any:
    return field(default=default, metadata={"help": help, **extra})


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that determines the weights, together with the data.

    Each field's metadata holds its help and its limits: `choices`, or `lowest` and `highest`.
    """

    hidden: tuple[int, ...] = _setting(
        (128,), "units of each hidden layer, such as 1000,500; 0 for no hidden layer"
    )
    activation: str = _setting("relu", "activation of the hidden layers", choices=tuple(ACTIVATIONS))
    output: str = _setting("softmax", "activation of the outputs", choices=ANY_OUTPUT)
    loss: str = _setting("cross_entropy", "loss to minimize", choices=tuple(OUTPUTS_OF))
    initialization: str = _setting(
        "auto", "size of the initial weights; auto: by activation", choices=("auto", "he", "glorot", "plain")
    )
    epochs: int = _setting(20, "passes over the training images", lowest=1)
    batch_size: int = _setting(128, "images per gradient step; 0 for all", lowest=0)
    optimizer: str = _setting(
        "adam", "how gradients change weights", choices=("adam", "adamw", "nesterov", "rmsprop", "sgd")
    )
    learning_rate: float = _setting(0.001, "highest learning rate", lowest=0)
    schedule: str = _setting(
        "cosine", "how the learning rate falls", choices=("constant", "step", "exponential", "cosine")
    )
    warm_up: float = _setting(0.0, "epochs over which the learning rate rises from 0", lowest=0)
    decay: float = _setting(0.5, "factor of schedules step and exponential", lowest=0, highest=1)
    decay_epochs: float = _setting(10.0, "epochs after which that factor applies", lowest=1e-3)
    momentum: float = _setting(0.9, "momentum of sgd and nesterov", lowest=0, highest=1)
    weight_decay: float = _setting(
        0.0, "share of each weight lost per step at rate 1, outside the gradient (AdamW)", lowest=0
    )
    l1: float = _setting(0.0, "factor of the sum of absolute weights in the loss", lowest=0)
    l2: float = _setting(0.0, "factor of half the sum of squared weights in the loss", lowest=0)
    dropout: float = _setting(0.0, "share of the hidden units silenced in each step", lowest=0, highest=0.95)
    patience: int = _setting(
        0, "stop after this many epochs without a lower validation loss and keep the best; 0: never", lowest=0
    )
    threshold: float = _setting(0.5, "output from which a yes-or-no output means yes", lowest=0, highest=1)
    soft_share: float = _setting(
        0.9,
        "distill: share of the teachers' answer in the target; the label has the rest",
        highest=1,
        lowest=0,
    )
    soft_temperature: float = _setting(
        1.0, "distill: divides the logits of teachers and student in the loss", lowest=0.1, highest=100
    )
    averaging: float = _setting(0.999, "decay of the average of the weights; 0 for none", lowest=0, highest=1)
    label_smoothing: float = _setting(0.0, "share of the target spread over all digits", lowest=0, highest=1)
    validation: float = _setting(
        0.1, "share of the training images held out for validation", lowest=0, highest=0.9
    )
    drawn: int = _setting(
        0, "digits drawn stroke by stroke, in styles that MNIST lacks, added to the training images", lowest=0
    )
    views: int = _setting(
        0,
        "epochs after which the same distortions repeat (teachers answer each once); 0: never",
        lowest=0,
    )
    input_offset: float = _setting(0.0, "subtracted from the pixels, folded into the biases when published")
    outliers: int = _setting(
        16000, "pictures of non-digits that the rejector learns from; 0 for no rejector", lowest=0
    )
    judge_units: int = _setting(192, "units of the rejector's hidden layer", lowest=1)
    refused_share: float = _setting(
        0.02,
        "share of held-out digits, half of them distorted, that the rejector may refuse",
        lowest=0,
        highest=1,
    )
    refit: bool = _setting(
        False, "publish a second network, trained on all images, with the figures of the first"
    )
    seed: int = _setting(0, "decides initial weights, order and distortion", lowest=0)
    split_seed: int = _setting(
        0,
        "decides which images are held out for validation and, in digits and folder, for the test",
        lowest=0,
    )
    augmentation: Augmentation = field(default_factory=Augmentation)


def config_from(values: Mapping[str, Any]) -> TrainingConfig:
    """Return the hyper-parameters in an artifact's metadata, with defaults for those it lacks."""
    kept: dict[type, dict[str, Any]] = {}
    for cls, given in ((TrainingConfig, values), (Augmentation, values.get("augmentation", {}))):
        names = {item.name for item in dataclasses.fields(cls)} - {"augmentation"}
        kept[cls] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if name in names
        }
    return TrainingConfig(**kept[TrainingConfig], augmentation=Augmentation(**kept[Augmentation]))
