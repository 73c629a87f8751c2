"""The cases of rules that misfired in the field, where they lie beside the project: ../shared/cases/rules."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.monitoring.operator_rule import RULES
from tests.deploy.tools import run
from tests.serving import PROJECT

CASES = PROJECT.parent / "shared" / "cases" / "rules" / "alerts.yaml"
# By number. "Whichever rule sees it, rename the case's alert."
RENAMED = {5: "DigitsCanaryFailing"}
# What a page has to say beside the labels that the case names: which environment has vanished.
MORE_LABELS = {1: {"namespace": "digits-production"}}


def firing(alert: str, labels: dict[str, str]) -> str:
    """Return how many alerts of a name fire with these labels, in PromQL."""
    wanted = {"alertname": alert, "alertstate": "firing"} | labels
    selector = ", ".join(f'{name}="{value}"' for name, value in wanted.items())
    return f"count(ALERTS{{{selector}}}) or vector(0)"


def expectations(number: int, case: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the case as tests of how many alerts fire: in all, and with the labels that it names.

    Its texts are empty, so they are not compared; nor are labels that it does not name.
    """
    alert = RENAMED.get(number, case["alertname"])
    wanted = [{}] + [one["exp_labels"] | MORE_LABELS.get(number, {}) for one in case["exp_alerts"]]
    samples = [{"labels": "{}", "value": len(case["exp_alerts"])}]
    return [
        {"expr": firing(alert, labels), "eval_time": case["eval_time"], "exp_samples": samples}
        for labels in wanted
    ]


def rules_of(alert: str) -> dict[str, Any]:
    """Return the rule of an alert, with what is recorded for it: promtool evaluates all that it gets."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    (wanted,) = [rule for group in groups for rule in group["rules"] if rule.get("alert") == alert]
    if ":" in wanted["expr"]:
        return {"groups": groups}
    return {"groups": [{"name": alert, "rules": [wanted]}]}


@pytest.mark.skipif(not CASES.exists(), reason="there is no ../shared/cases/rules/alerts.yaml here")
@pytest.mark.parametrize("number", range(1, 6))
def test_rules_pass_a_case_from_the_field(number: int, tmp_path: Path) -> None:
    file = yaml.safe_load(CASES.read_text())
    assert len(file["tests"]) == 5
    test = file["tests"][number - 1]
    (alert,) = {RENAMED.get(number, case["alertname"]) for case in test["alert_rule_test"]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules_of(alert)))
    test["promql_expr_test"] = [
        expectation for case in test.pop("alert_rule_test") for expectation in expectations(number, case)
    ]
    file |= {"rule_files": ["rules.yaml"], "tests": [test]}
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(file))
    result = run("promtool", "test", "rules", tmp_path / "case.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
