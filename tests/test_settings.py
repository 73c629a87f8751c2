"""Settings are read once, and a wrong one is named together with what is allowed."""

import dataclasses
import subprocess
from pathlib import Path

import pytest

from service.config import Settings, SettingsError
from tests.serving import COMMAND, PROJECT


def test_an_empty_environment_gives_the_defaults():
    settings = Settings.from_env({})
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8080, 2)
    assert settings.default_model == "mnist-28x28"
    assert settings.models_dir == PROJECT / "models"


def test_values_are_taken_from_the_environment():
    settings = Settings.from_env(
        {"PORT": "9000", "DIGITS_MODELS_DIR": "/models", "DIGITS_RELOAD_SECONDS": "0.5", "HOME": "/root"}
    )
    assert (settings.port, settings.models_dir, settings.reload_seconds) == (9000, Path("/models"), 0.5)


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PORT", "", "a whole number"),
        ("PORT", "tcp://10.0.0.1:80", "a whole number"),
        ("PORT", "٨٠", "a whole number"),
        ("WEB_CONCURRENCY", "-1", "a whole number from 1 to 64"),
        ("HOST", "", "an address to listen on"),
        ("DIGITS_LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("DIGITS_MAX_UPLOAD_BYTES", "10MB", "a whole number from 1024"),
        ("DIGITS_RELOAD_SECONDS", "nan", "a number of seconds from 0.1 to 3600"),
        ("DIGITS_RELOAD_SECONDS", "soon", "a number of seconds"),
        ("DIGITS_DEFAULT_MODEL", "../secret", "a model name"),
        ("DIGITS_MODELS_DIR", "", "the path of a folder"),
        ("DIGITS_API_KEY_FILE", "/dev/null", "a readable file that holds a key"),
        ("DIGITS_API_KEY_FILE", "/nowhere/key", "a readable file that holds a key"),
        ("DIGITS_API_KEY", " ", "a key, which is not empty"),
    ],
)
def test_a_wrong_value_names_variable_value_and_what_is_allowed(variable, value, allowed):
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({variable: value})
    message = str(caught.value)
    assert message.startswith(f"{variable} is {value!r}; ")
    assert allowed in message
    assert "\n" not in message


def test_an_unknown_name_is_taken_for_a_typing_mistake():
    with pytest.raises(
        SettingsError, match=r"DIGITS_MODEL_DIR is not a setting. Known are .*DIGITS_MODELS_DIR"
    ):
        Settings.from_env({"DIGITS_MODEL_DIR": "/models"})


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1


@pytest.mark.parametrize("wrong", [{"PORT": "http"}, {"DIGITS_TYPO": "1"}])
def test_a_wrong_setting_stops_the_start_with_one_line(wrong):
    done = subprocess.run(
        COMMAND,
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", **wrong},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"digits: {next(iter(wrong))} is ")
