"""Hyper-parameters: one frozen class that checks itself. The command line's flags are made from it.

recipe (TOML), flags, Python -> TrainingConfig -> training, and as a dictionary into the artifact's metadata

Pydantic checks each setting where a configuration is constructed, and raises its ValidationError, a
ValueError.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, ValidationError, model_validator
from pydantic.config import JsonDict
from pydantic.dataclasses import dataclass

from trainer.data import CHECKED, Augmentation
from trainer.errors import TrainerError, settings_error
from trainer.nn import OUTPUTS_OF

# The settings of a convolutional teacher; its optimizer is AdamW and its loss is cross-entropy.
TEACHER_SETTINGS = (
    *("hidden", "epochs", "batch_size", "learning_rate", "schedule", "warm_up", "decay", "decay_epochs"),
    *("weight_decay", "dropout", "averaging", "label_smoothing", "validation", "drawn", "seed", "split_seed"),
)
TEACHER_CHANNELS = (16, 32, 64)  # default width of each pair of convolutions
# The settings of the rejector, under the names that artifacts keep: "judge" is the rejector.
REJECTOR_SETTINGS = (
    "outliers",
    "judge_units",
    "judge_epochs",
    "judge_members",
    "refused_share",
    "unsure_share",
)

Activation = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu"]
Output = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "softmax", "step"]
Loss = Literal[
    "cross_entropy",
    "kullback_leibler",
    "binary_cross_entropy",
    "mean_squared_error",
    "cosine_distance",
    "perceptron",
]


# The groups in which the command line shows the settings.
NETWORK: JsonDict = {"group": "network"}
OPTIMIZATION: JsonDict = {"group": "optimization"}
REGULARIZATION: JsonDict = {"group": "regularization"}
IMAGES_AND_CHANCE: JsonDict = {"group": "images and chance"}
ANSWERS_OF_TEACHERS: JsonDict = {"group": "answers of teachers"}
REJECTOR: JsonDict = {"group": "rejector"}


@dataclass(frozen=True, config=CHECKED)
class TrainingConfig:
    """Everything that determines the weights, together with the data.

    Each field states its help and its limits. Raises pydantic.ValidationError for values outside them, and
    for settings that contradict each other.
    """

    hidden: tuple[PositiveInt, ...] = Field(
        json_schema_extra=NETWORK,
        default=(128,),
        description="units of each hidden layer, such as 1000,500; 0 for no hidden layer",
    )
    activation: Activation = Field(
        json_schema_extra=NETWORK, default="relu", description="activation of the hidden layers"
    )
    output: Output = Field(
        json_schema_extra=NETWORK, default="softmax", description="activation of the outputs"
    )
    loss: Loss = Field(json_schema_extra=NETWORK, default="cross_entropy", description="loss to minimize")
    initialization: Literal["auto", "he", "glorot", "plain"] = Field(
        json_schema_extra=NETWORK,
        default="auto",
        description="size of the initial weights; auto: by activation",
    )
    epochs: int = Field(
        json_schema_extra=OPTIMIZATION, default=20, ge=1, description="passes over the training images"
    )
    batch_size: int = Field(
        json_schema_extra=OPTIMIZATION, default=128, ge=0, description="images per gradient step; 0 for all"
    )
    optimizer: Literal["adam", "adamw", "nesterov", "rmsprop", "sgd"] = Field(
        json_schema_extra=OPTIMIZATION, default="adam", description="how gradients change weights"
    )
    learning_rate: float = Field(
        json_schema_extra=OPTIMIZATION, default=0.001, gt=0, description="highest learning rate"
    )
    schedule: Literal["constant", "step", "exponential", "cosine"] = Field(
        json_schema_extra=OPTIMIZATION, default="cosine", description="how the learning rate falls"
    )
    warm_up: float = Field(
        json_schema_extra=OPTIMIZATION,
        default=0.0,
        ge=0,
        description="epochs over which the learning rate rises from 0",
    )
    decay: float = Field(
        json_schema_extra=OPTIMIZATION,
        default=0.5,
        ge=0,
        le=1,
        description="factor of schedules step and exponential",
    )
    decay_epochs: float = Field(
        json_schema_extra=OPTIMIZATION,
        default=10.0,
        ge=1e-3,
        description="epochs after which that factor applies",
    )
    momentum: float = Field(
        json_schema_extra=OPTIMIZATION, default=0.9, ge=0, lt=1, description="momentum of sgd and nesterov"
    )
    weight_decay: float = Field(
        json_schema_extra=REGULARIZATION,
        default=0.0,
        ge=0,
        description="share of each weight lost per step at rate 1, outside the gradient (AdamW)",
    )
    l1: float = Field(
        json_schema_extra=REGULARIZATION,
        default=0.0,
        ge=0,
        description="factor of the sum of absolute weights in the loss",
    )
    l2: float = Field(
        json_schema_extra=REGULARIZATION,
        default=0.0,
        ge=0,
        description="factor of half the sum of squared weights in the loss",
    )
    dropout: float = Field(
        json_schema_extra=REGULARIZATION,
        default=0.0,
        ge=0,
        le=0.95,
        description="share of the hidden units set to 0 in each step",
    )
    patience: int = Field(
        json_schema_extra=OPTIMIZATION,
        default=0,
        ge=0,
        description="stop after this many epochs without a lower validation loss and keep the best; 0: never",
    )
    threshold: float = Field(
        json_schema_extra=NETWORK,
        default=0.5,
        ge=0,
        le=1,
        description="output from which a yes-or-no output means yes",
    )
    soft_share: float = Field(
        json_schema_extra=ANSWERS_OF_TEACHERS,
        default=0.9,
        ge=0,
        le=1,
        description="distill: share of the teachers' answer in the target; the label has the rest",
    )
    soft_temperature: float = Field(
        json_schema_extra=ANSWERS_OF_TEACHERS,
        default=1.0,
        ge=0.1,
        le=100,
        description="distill: divides the logits of teachers and student in the loss",
    )
    averaging: float = Field(
        json_schema_extra=OPTIMIZATION,
        default=0.999,
        ge=0,
        lt=1,
        description="decay of the average of the weights; 0 for none",
    )
    label_smoothing: float = Field(
        json_schema_extra=REGULARIZATION,
        default=0.0,
        ge=0,
        lt=1,
        description="share of the target spread over all digits",
    )
    validation: float = Field(
        json_schema_extra=IMAGES_AND_CHANCE,
        default=0.1,
        ge=0,
        le=0.9,
        description="share of the training images held out for validation",
    )
    drawn: int = Field(
        json_schema_extra=IMAGES_AND_CHANCE,
        default=0,
        ge=0,
        description="digits drawn stroke by stroke, in styles that MNIST lacks, added to the training images",
    )
    views: int = Field(
        json_schema_extra=IMAGES_AND_CHANCE,
        default=0,
        ge=0,
        description="epochs after which the same distortions repeat (teachers answer each once); 0: never",
    )
    input_offset: float = Field(
        json_schema_extra=NETWORK,
        default=0.0,
        description="subtracted from the pixels, folded into the biases when published",
    )
    outliers: int = Field(
        json_schema_extra=REJECTOR,
        default=16000,
        ge=0,
        description="pictures of non-digits that the rejector learns from; 0 for no rejector",
    )
    judge_units: int = Field(
        json_schema_extra=REJECTOR, default=192, ge=1, description="units of the rejector's hidden layer"
    )
    judge_epochs: int = Field(
        json_schema_extra=REJECTOR,
        default=20,
        ge=1,
        description="epochs of the rejector; more of them pay off with many outliers",
    )
    judge_members: int = Field(
        json_schema_extra=REJECTOR,
        default=1,
        ge=1,
        description="rejectors whose log-odds are averaged; the file has them as one network",
    )
    refused_share: float = Field(
        json_schema_extra=REJECTOR,
        default=0.02,
        ge=0,
        le=1,
        description="share of held-out digits, half of them distorted, that the rejector may refuse",
    )
    unsure_share: float = Field(
        json_schema_extra=REJECTOR,
        default=0.003,
        ge=0,
        le=1,
        description="share of held-out digits that may be refused because the network is not confident",
    )
    refit: bool = Field(
        json_schema_extra=IMAGES_AND_CHANCE,
        default=False,
        description="publish a second network, trained on all images, with the figures of the first",
    )
    seed: int = Field(
        json_schema_extra=IMAGES_AND_CHANCE,
        default=0,
        ge=0,
        description="decides initial weights, order and distortion",
    )
    split_seed: int = Field(
        json_schema_extra=IMAGES_AND_CHANCE,
        default=0,
        ge=0,
        description="decides which images are held out for validation, and for the test in digits and folder",
    )
    augmentation: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        """Raise ValueError for settings that contradict each other."""
        fitting = OUTPUTS_OF[self.loss]
        if self.output not in fitting:
            raise ValueError(
                f"the loss {self.loss} needs the output {' or '.join(fitting)}, not {self.output}"
            )
        if self.warm_up > self.epochs:
            raise ValueError(f"a warm-up of {self.warm_up:g} epochs is longer than all {self.epochs} epochs")
        if self.refit and self.patience:
            raise ValueError("refit leaves no held-out examples for patience: set --patience 0")
        if self.dropout and not self.hidden:
            raise ValueError("dropout needs hidden units, and there are none: set --dropout 0")
        return self


def config_from(values: Mapping[str, Any]) -> TrainingConfig:
    """Return the hyper-parameters in an artifact's metadata, with defaults for those it lacks.

    Raises TrainerError for values that no training could have had.
    """
    kept: dict[type, dict[str, Any]] = {}
    for cls, given in ((TrainingConfig, values), (Augmentation, values.get("augmentation", {}))):
        names = {item.name for item in dataclasses.fields(cls)} - {"augmentation"}
        kept[cls] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if name in names
        }
    try:
        return TrainingConfig(**kept[TrainingConfig], augmentation=Augmentation(**kept[Augmentation]))
    except ValidationError as error:
        raise TrainerError(f"the settings in the file are wrong: {settings_error(error)}") from error
