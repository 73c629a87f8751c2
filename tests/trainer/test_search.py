"""Trials share a study, stay within what was given, are pruned, and end as a recipe that trains."""

import argparse
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.quick import QUICK
from trainer.cli import main
from trainer.data import load_dataset
from trainer.recipes import load_config
from trainer.recipes.flags import add_flags
from trainer.search import SPACE, open_study, search, suggested

optuna = pytest.importorskip("optuna", reason="needs Optuna: pip install -r trainer/requirements-search.txt")
Output = pytest.CaptureFixture[str]


def flags(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return parser.parse_args(words)


def small(*words: object) -> list[str]:
    return ["search", "digits", "--epochs", "1", "--hidden", "8", "--detail", "1", *map(str, words)]


def test_search_continues_a_study_and_writes_the_best_as_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(small("--trials", 2)) == 0
    assert main(small("--trials", 3)) == 0  # one more
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith("trial")] == [
        "trial 1",
        "trial 2",
        "trial 3",
    ]
    assert lines[-1] == "train with them: python -m trainer train digits --recipe runs/search/digits.toml"
    study = optuna.load_study(study_name="digits", storage=f"sqlite:///{tmp_path}/runs/search/digits.db")
    assert len(study.trials) == 3
    recipe = tomllib.loads((tmp_path / "runs/search/digits.toml").read_text())
    assert recipe["training"]["hidden"] == [8]
    assert recipe["training"]["learning_rate"] == study.best_trial.params["learning_rate"]
    assert recipe["augmentation"]["rotation"] == study.best_trial.params["rotation"]
    base = load_config("digits-8x8", flags())
    assert (recipe["training"]["outliers"], recipe["training"]["refit"]) == (base.outliers, base.refit)
    assert main(["train", "digits", "--recipe", "runs/search/digits.toml", *QUICK]) == 0


def test_given_settings_stay_and_others_are_drawn() -> None:
    names: list[str] = []

    class Recording(optuna.trial.FixedTrial):
        def suggest_float(self, name: str, *limits: float, **more: Any) -> float:
            names.append(name)
            return limits[0]

    trial = Recording({"layers": 2, "units_1": 64, "units_2": 32, "batch_size": 64, "averaging": 0.99})
    config = suggested(trial, "digits-8x8", flags("--rotation", "3", "--dropout", "0.1"))
    assert (config.augmentation.rotation, config.dropout) == (3.0, 0.1)
    assert config.hidden == (64, 32)
    assert config.learning_rate == 1e-4
    assert {"rotation", "dropout"}.isdisjoint(names)
    assert set(names) == {"learning_rate", "scale", "shear", "shift", "stroke_share"} <= set(SPACE)


def test_pods_that_start_together_draw_different_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    for index in ("0", "1", "0"):
        monkeypatch.setenv("JOB_COMPLETION_INDEX", index)
        study = open_study(f"sqlite:///{tmp_path / f'{len(drawn)}.db'}", "some", 0)
        drawn.append(study.ask().suggest_float("rotation", 0.0, 25.0))
    assert drawn[0] == drawn[2]
    assert drawn[0] != drawn[1]


def test_trials_that_fall_behind_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.search.WARM_UP_TRIALS", 1)
    monkeypatch.setattr("trainer.search.WARM_UP_EPOCHS", 1)
    rates = iter((0.02, 1e-7))
    monkeypatch.setitem(SPACE, "learning_rate", lambda trial: next(rates))
    study = open_study(f"sqlite:///{tmp_path / 'some.db'}", "some", 0)
    given = flags(
        "--hidden", "16", "--epochs", "6", "--batch-size", "32", "--averaging", "0", "--dropout", "0"
    )
    search(study, 2, load_dataset("digits", None), "exercises", given)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"]
    assert len(study.trials[1].intermediate_values) < 6


def test_diverging_trial_does_not_end_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter((1e30, 0.01))
    monkeypatch.setitem(SPACE, "learning_rate", lambda trial: next(rates))
    study = open_study(f"sqlite:///{tmp_path / 'some.db'}", "some", 0)
    given = flags(
        *("--hidden", "8", "--epochs", "2", "--optimizer", "sgd", "--output", "linear"),
        *("--loss", "mean_squared_error", "--batch-size", "64", "--dropout", "0"),
    )
    search(study, 1, load_dataset("digits", None), "exercises", given)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["--trials", "0"], 2, "--trials is 0; at least 1 is needed"),
        (["--validation", "0"], 2, "set --validation above 0"),
        (["--storage", "nonsense"], 1, "the storage cannot be opened"),
        (["--storage", "sqlite:////nowhere/at/all.db"], 1, "the storage cannot be opened"),
    ],
)
def test_wrong_search_is_one_line(
    words: list[str],
    code: int,
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(small(*words)) == code
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
