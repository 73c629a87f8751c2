"""The cases in rules-test.yaml, each with the rules that its alerts need: the others would only cost time.

rules.yaml, rules-test.yaml -> for each set of alerts a file of rules and one of cases, for promtool
"""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.monitoring.operator_rule import COMPONENT, RULES

Rule = dict[str, Any]


def name_of(rule: Rule) -> str:
    """Return the name of an alert or of what a rule records."""
    return rule.get("alert") or rule["record"]


def needed(alerts: set[str], rules: list[Rule]) -> set[str]:
    """Return the names of these alerts and of all that is recorded for them, directly or not."""
    expressions = {name_of(rule): rule["expr"] for rule in rules}
    found, new = set(), set(alerts)
    while new:
        found |= new
        words = {word for name in new for word in re.findall(r"[\w:]+", expressions[name])}
        new = words & set(expressions) - found
    return found


def write_cases(folder: Path) -> list[Path]:
    """Write the cases, grouped by the alerts that they expect; return promtool's test files."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    whole = yaml.safe_load((COMPONENT / "rules-test.yaml").read_text())
    by_alerts: dict[tuple[str, ...], list[Any]] = {}
    for test in whole["tests"]:
        assert test.keys() <= {"name", "interval", "input_series", "alert_rule_test"}, test["name"]
        alerts = {case["alertname"] for case in test["alert_rule_test"]}
        by_alerts.setdefault(tuple(sorted(alerts)), []).append(test)
    files = []
    for alerts, tests in by_alerts.items():
        names = needed(set(alerts), rules)
        few = [group | {"rules": [r for r in group["rules"] if name_of(r) in names]} for group in groups]
        few = [group for group in few if group["rules"]]
        stem = "-".join(alerts)
        (folder / f"{stem}.rules.yaml").write_text(yaml.safe_dump({"groups": few}))
        order = [group["name"] for group in few]
        content = whole | {"rule_files": [f"{stem}.rules.yaml"], "group_eval_order": order, "tests": tests}
        files.append(folder / f"{stem}.yaml")
        files[-1].write_text(yaml.safe_dump(content))
    return files
