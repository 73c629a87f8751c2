"""Settings come from a recipe and from flags; errors name the wrong one."""

import argparse
import dataclasses
import re
from pathlib import Path

import pytest

from trainer.data import Augmentation
from trainer.errors import UsageError
from trainer.parser import add_flags
from trainer.recipes import load_config, recipe_names
from trainer.recipes.reading import RECIPES
from trainer.training import TrainingConfig


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
        for field in dataclasses.fields(cls):
            if field.name != "augmentation":
                assert f"--{field.name.replace('_', '-')}" in text
                assert field.metadata["help"]


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
        ("[training]\nepochs = 0", "epochs is 0; a number from 1"),
        ("[training]\nepochs = 1.5", "a value of type int"),
        ("[training]\nepochs = true", "a value of type int"),
        ("[training]\nlearning_rate = nan", "learning_rate is nan"),
        ("[training]\nlearning_rate = -1", "learning_rate is -1"),
        ('[training]\nactivation = "gelu"', "one of linear, sigmoid, tanh, relu, leaky_relu is expected"),
        ("[training]\nhidden = [10, 0]", "whole numbers above 0"),
        ("[training]\nhidden = 10", "whole numbers above 0"),
        ("[training]\ndropout = 1.0", "dropout is 1.0"),
        ('[training]\noutput = "tanh"', "cross_entropy needs probabilities: output softmax, not tanh"),
        ("[augmentation]\nshare = 1.5", "share is 1.5; a number from 0 to 1"),
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
