"""Rules, runbook and dashboard, down to a real Prometheus that scrapes the real service."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.deploy.monitoring.operator_rule import COMPONENT, OPERATOR_RULE, RULES, operator_rule
from tests.deploy.monitoring.prometheus import Prometheus, running_prometheus
from tests.deploy.monitoring.rule_cases import write_cases
from tests.deploy.rendering import DEPLOY
from tests.deploy.tools import run
from tests.drawing import digit_png
from tests.serving import Server, copy_models, running_service, wait_until

DASHBOARD = COMPONENT / "dashboard.json"
BLANK = b"P5 8 8 255\n" + bytes(64)  # a picture of a format that is not supported
FROM_KUBERNETES = re.compile("up|kube_.*")


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[str]:
    return [rule["alert"] for rule in rules() if "alert" in rule]


def panels() -> list[tuple[str, str]]:
    """Return title and expression of each query of the dashboard, with its variables filled in."""
    return [
        (
            panel["title"],
            target["expr"]
            .replace("$namespace", ".*")
            .replace("$track", ".*")
            .replace("$__rate_interval", "1m"),
        )
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel["targets"]
    ]


def test_rules_pass_their_own_tests(tmp_path: Path) -> None:
    # Each test makes a database of its own; in memory that takes half the time.
    fast = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK) else {}
    files = write_cases(tmp_path)
    result = run("promtool", "test", "rules", *files, env=os.environ | fast, seconds=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("SUCCESS") == len(files)


@pytest.mark.parametrize(
    ("sound", "faulty"),
    [
        ("absent_over_time(up{", "absent_over_time(up{{"),
        ("histogram_quantile(0.99, ", "histogram_quantile("),
        ("for: 2m", "for: 2 minutes"),
    ],
)
def test_bad_promql_is_found(sound: str, faulty: str, tmp_path: Path) -> None:
    text = RULES.read_text()
    (tmp_path / "sound.yaml").write_text(text)
    assert run("promtool", "check", "rules", tmp_path / "sound.yaml").returncode == 0
    assert sound in text
    (tmp_path / "faulty.yaml").write_text(text.replace(sound, faulty, 1))
    assert run("promtool", "check", "rules", tmp_path / "faulty.yaml").returncode != 0


def test_every_panel_follows_namespace_and_track() -> None:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            selectors = re.findall(r"\{([^{}]*)\}", target["expr"])
            assert selectors, panel["title"]
            for selector in selectors:
                assert 'namespace=~"$namespace", track=~"$track"' in selector, panel["title"]


@pytest.mark.parametrize("alert", alerts())
def test_each_alert_has_a_firing_and_a_silent_case(alert: str) -> None:
    cases = [
        case
        for test in yaml.safe_load((COMPONENT / "rules-test.yaml").read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == alert
    ]
    assert {bool(case["exp_alerts"]) for case in cases} == {True, False}


def test_each_alert_has_its_entry_in_the_runbook() -> None:
    headings = re.findall(r"^## (\w+)$", (DEPLOY / "runbook.md").read_text(), re.MULTILINE)
    assert headings == alerts()
    for rule in rules():
        if "alert" in rule:
            place = f"https://digits.example/runbook.md#{rule['alert'].lower()}"
            assert rule["annotations"]["runbook_url"] == place
            assert rule["annotations"]["description"]
            assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_the_operator_gets_the_same_rules() -> None:
    expected = operator_rule()
    assert OPERATOR_RULE.read_text() == expected, "run `python -m tests.deploy.monitoring.operator_rule`"
    assert yaml.safe_load(expected)["spec"] == yaml.safe_load(RULES.read_text())


def test_operator_gets_the_address_of_the_runbook_from_one_line(tmp_path: Path) -> None:
    copy = shutil.copytree(DEPLOY, tmp_path / "deploy")
    component = copy / "components" / COMPONENT.name / "kustomization.yaml"
    place, mine = "url=https://digits.example/runbook.md", "url=https://wiki.test/run.md"
    assert component.read_text().count(place) == 1
    component.write_text(component.read_text().replace(place, mine))
    objects = list(yaml.safe_load_all(run("kubectl", "kustomize", copy / "overlays/production").stdout))
    (rule,) = [one for one in objects if one["kind"] == "PrometheusRule"]
    places = [
        each["annotations"]["runbook_url"]
        for group in rule["spec"]["groups"]
        for each in group["rules"]
        if "alert" in each
    ]
    assert places == [f"https://wiki.test/run.md#{alert.lower()}" for alert in alerts()]
    assert not [one for one in objects if one["metadata"]["name"] == "digits-runbook"]


def test_no_alert_knows_a_limit_by_heart() -> None:
    text = RULES.read_text()
    for limit in (" 26", " 128", " 64", " 268435456"):
        assert f"{limit}\n" not in text
    assert "http_requests_in_flight_limit{" in text


def test_waiting_requests_are_counted_once() -> None:
    """Those that wait are among those in flight: no sum has both."""
    folder = DEPLOY / "components"
    texts = [
        RULES.read_text(),
        (folder / "hpa-in-flight/adapter-rule.yaml").read_text(),
        DASHBOARD.read_text(),
    ]
    for text in texts:
        assert not re.search(r"http_requests_in_flight\{[^\n]*\+[^\n]*http_requests_waiting", text)
    assert "http_requests_waiting" not in texts[0] + texts[1]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Prometheus]]:
    """A service of two workers that was asked this and that, and a Prometheus that scraped it."""
    folder = tmp_path_factory.mktemp("watched")
    models = copy_models(folder / "models")
    settings = {
        "DIGITS_MODELS_DIR": str(models),
        "DIGITS_RELOAD_SECONDS": "0.2",
        "DIGITS_DEFAULT_MODEL": "digits-8x8",
    }
    with running_service(folder, **settings) as server, running_prometheus(folder, server.port) as prometheus:
        wait_until(lambda: prometheus.value('up{job="digits"}') == 1, "the first scrape")
        ask(server)
        (models / "broken.npz").write_bytes(b"no model")
        wait_until(
            lambda: server.metric("digits_model_load_failures_total") == 1, "a worker refuses the file"
        )
        # rate() needs the counters twice
        wait_until(lambda: prometheus.value("sum(rate(http_requests_total[1m]))") > 0, "the second scrape")
        ask(server)
        answered = server.metric("http_requests_total", route="/predict")
        counted = 'sum(http_requests_total{route="/predict"})'
        wait_until(lambda: prometheus.value(counted) == answered, "the scrape of the last request")
        yield server, prometheus


def ask(server: Server) -> None:
    for digit in range(10):
        assert server.predict(digit_png(digit)).status_code == 200
    assert server.predict(BLANK).status_code == 415
    assert requests.get(f"{server.url}/nowhere", timeout=30).status_code == 404


def test_prometheus_counts_every_request_of_both_workers(watched: tuple[Server, Prometheus]) -> None:
    _, prometheus = watched
    assert prometheus.value('sum(http_requests_total{route="/predict", status="200"})') == 20
    assert prometheus.value('sum(http_requests_total{route="/predict", status="415"})') == 2
    assert prometheus.value('sum(digits_predictions_total{model="digits-8x8"})') == 20


def test_names_and_units_are_as_prometheus_wants_them(watched: tuple[Server, Prometheus]) -> None:
    server, _ = watched
    text = requests.get(f"{server.url}/metrics", timeout=30).text
    result = run("promtool", "check", "metrics", input=text)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(("title", "expression"), panels())
def test_each_panel_of_the_dashboard_shows_something(
    title: str, expression: str, watched: tuple[Server, Prometheus]
) -> None:
    wait_until(lambda: watched[1].query(expression), f"{title}: data of {expression}")
    samples = watched[1].query(expression)
    assert all(sample["value"][1] not in ("NaN", "+Inf") for sample in samples), samples


@pytest.mark.parametrize("rule", [rule["record"] for rule in rules() if "record" in rule])
def test_each_recording_rule_records(rule: str, watched: tuple[Server, Prometheus]) -> None:
    wait_until(lambda: watched[1].query(rule), f"a sample of {rule}")


def test_rules_and_dashboard_ask_for_metrics_that_exist(watched: tuple[Server, Prometheus]) -> None:
    _, prometheus = watched
    names = {sample["metric"]["__name__"] for sample in prometheus.query('{job="digits"}')}
    expressions = [rule["expr"] for rule in rules()] + [expression for _, expression in panels()]
    wanted = {
        name
        for expression in expressions
        for name in re.findall(r"\b((?:http|digits|kube|up)\w*)\{", re.sub(r'"[^"]*"', '""', expression))
    }
    assert len(wanted) > 10
    assert {name for name in wanted - names if not FROM_KUBERNETES.fullmatch(name)} == set()


def queries_of_the_runbook() -> list[str]:
    spans = re.findall(r"`([^`]+)`", (DEPLOY / "runbook.md").read_text())
    return [" ".join(span.split()) for span in spans if "{job=" in span or (":" in span and " - " in span)]


@pytest.mark.parametrize("query", queries_of_the_runbook())
def test_a_query_of_the_runbook_shows_something(query: str, watched: tuple[Server, Prometheus]) -> None:
    found = watched[1].query(query)
    # That of failed requests has nothing to show for a service that is well.
    assert found or '"5.."' in query, query


def test_a_refused_model_file_raises_its_alert_and_no_other(watched: tuple[Server, Prometheus]) -> None:
    _, prometheus = watched
    wait_until(lambda: "DigitsModelLoadFailed" in prometheus.firing(), "the alert fires")
    assert prometheus.firing() == {"DigitsModelLoadFailed"}


def test_the_rule_for_the_adapter_finds_requests_in_flight(watched: tuple[Server, Prometheus]) -> None:
    (rule,) = yaml.safe_load((DEPLOY / "components/hpa-in-flight/adapter-rule.yaml").read_text())["rules"]
    # The adapter fills in the series and the labels of the pods it is asked about.
    filled = {
        "<<.Series>>": "http_requests_in_flight",
        "<<.LabelMatchers>>": 'job="digits"',
        "<<.GroupBy>>": "job",
    }
    expression = rule["metricsQuery"]
    for placeholder, value in filled.items():
        assert placeholder in expression
        expression = expression.replace(placeholder, value)
    assert watched[1].query(expression)


def test_the_age_of_a_model_is_that_of_its_training(watched: tuple[Server, Prometheus]) -> None:
    server, prometheus = watched
    (model,) = (
        model
        for model in requests.get(f"{server.url}/models", timeout=30).json()["models"]
        if model["name"] == "digits-8x8"
    )
    seconds = prometheus.value('digits_model_trained_timestamp_seconds{model="digits-8x8"}')
    parts = [prometheus.value(f"{part}(vector({seconds}))") for part in ("year", "month", "day_of_month")]
    assert "{:04.0f}-{:02.0f}-{:02.0f}".format(*parts) == model["trained_on"]["date"]
