"""Settings come from a recipe and from flags; errors name the wrong one."""

import argparse
import dataclasses
import re
import typing
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.model.network import ACTIVATIONS
from trainer.data import Augmentation
from trainer.errors import TrainerError, UsageError, settings_error
from trainer.nn import OUTPUTS_OF
from trainer.recipes import add_flags, fields_of, load_config, recipe_names
from trainer.recipes.reading import RECIPES
from trainer.training import TrainingConfig, config_from, libraries
from trainer.training.config import Activation, Loss, Output


def flags(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return parser.parse_args(words)


def recipe(folder: Path, text: str) -> str:
    path = folder / "some.toml"
    path.write_text(text)
    return str(path)


def test_every_setting_has_a_flag_with_help() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    text = parser.format_help()
    for cls in (TrainingConfig, Augmentation):
        for name, setting in fields_of(cls).items():
            if name != "augmentation":
                assert f"--{name.replace('_', '-')}" in text
                assert setting.description, name


def test_named_choices_are_those_that_exist() -> None:
    assert typing.get_args(Activation) == tuple(ACTIVATIONS)
    assert typing.get_args(Loss) == tuple(OUTPUTS_OF)
    assert set(typing.get_args(Output)) == {output for outputs in OUTPUTS_OF.values() for output in outputs}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"epochs": 0}, "epochs is 0; input should be greater than or equal to 1"),
        ({"epochs": "3"}, "epochs is '3'; input should be a valid integer"),
        ({"momentum": 1.0}, "momentum is 1.0; input should be less than 1"),
        ({"averaging": 1.0}, "averaging is 1.0; input should be less than 1"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; input should be less than 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; input should be greater than 0"),
        ({"l2": float("inf")}, "l2 is inf; input should be a finite number"),
        ({"hidden": [8]}, "hidden is [8]; input should be a valid tuple"),
        ({"output": "sigmoid"}, "the loss cross_entropy needs the output softmax, not sigmoid"),
        ({"loss": "perceptron"}, "the loss perceptron needs the output step, not softmax"),
        ({"epochs": 3, "warm_up": 4.0}, "a warm-up of 4 epochs is longer than all 3 epochs"),
        ({"refit": True, "patience": 2}, "refit leaves no held-out examples for patience"),
        ({"hidden": (), "dropout": 0.5}, "dropout needs hidden units, and there are none"),
    ],
)
def test_wrong_settings_are_refused_at_construction(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingConfig(**settings)
    assert settings_error(caught.value).startswith(complaint)
    with pytest.raises(ValidationError):
        dataclasses.replace(TrainingConfig(), **settings)


def test_wrong_augmentation_is_refused_at_construction() -> None:
    for settings in ({"share": 1.5}, {"rotation": -1.0}, {"detail": 0}, {"turn": 3}):
        with pytest.raises(ValidationError):
            Augmentation(**settings)


def test_settings_of_a_damaged_file_are_one_error() -> None:
    with pytest.raises(TrainerError, match="the settings in the file are wrong: epochs is -1"):
        config_from({"epochs": -1})
    assert config_from({"epochs": 7, "of_later_versions": 1}).epochs == 7


def test_flags_override_the_recipe_and_it_the_defaults(tmp_path: Path) -> None:
    name = recipe(tmp_path, "[training]\nhidden = [7, 5]\nepochs = 3\n[augmentation]\nrotation = 4\n")
    config = load_config(name, flags("--epochs", "9", "--shear", "0.5"))
    assert config.hidden == (7, 5)
    assert config.epochs == 9
    assert (config.augmentation.rotation, config.augmentation.shear) == (4.0, 0.5)
    assert config.learning_rate == TrainingConfig().learning_rate


def test_hidden_zero_means_no_hidden_layer() -> None:
    assert load_config("digits-8x8", flags("--hidden", "0")).hidden == ()


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_valid_and_state_a_result(name: str) -> None:
    load_config(name, flags())
    text = (RECIPES / f"{name}.toml").read_text()
    assert re.search("python -m trainer (train|teach|distill)", text)
    assert "Expected" in text or name in ("digits-8x8", "mnist-28x28")  # theirs are in the model cards


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[training]\nepoch = 3", "unknown setting 'epoch'; known are hidden"),
        ("[augmentation]\nturn = 3", "unknown setting 'turn'"),
        ("[trainings]\n", "unknown table 'trainings'"),
        ("[training\n", "is not TOML"),
        ("[training]\nepochs = 0", "epochs is 0; input should be greater"),
        ("[training]\nepochs = 1.5", "epochs is 1.5; input should be a valid integer"),
        ("[training]\nepochs = true", "epochs is True; input should be a valid integer"),
        ("[training]\nlearning_rate = nan", "learning_rate is nan"),
        ("[training]\nlearning_rate = -1", "learning_rate is -1"),
        (
            '[training]\nactivation = "gelu"',
            "activation is 'gelu'; input should be 'linear', 'sigmoid', 'tanh', 'relu' or 'leaky_relu'",
        ),
        ("[training]\nhidden = [10, 0]", "hidden is 0; input should be greater than 0"),
        ("[training]\nhidden = 10", "hidden is 10; input should be a valid tuple"),
        ("[training]\ndropout = 1.0", "dropout is 1.0"),
        ('[training]\noutput = "tanh"', "cross_entropy needs the output softmax, not tanh"),
        ("[augmentation]\nshare = 1.5", "share is 1.5; input should be less than or equal to 1"),
    ],
)
def test_wrong_recipe_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(recipe(tmp_path, text), flags())
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_recipe_lists_the_recipes() -> None:
    with pytest.raises(UsageError, match=r"no recipe 'mnist'.*digits-8x8.*mnist-28x28"):
        load_config("mnist", flags())


def test_a_file_records_the_library_that_distorted() -> None:
    recorded = libraries(TrainingConfig(augmentation=Augmentation(sampling="opencv")))
    assert recorded["opencv"] == metadata.version("opencv-python-headless")
    assert "opencv" not in libraries(TrainingConfig())
