"""The shipped scrape job gives annotated pods the labels that the rules ask for, in a real Prometheus."""

import json
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.deploy.monitoring.prometheus import running_prometheus
from tests.deploy.rendering import DEPLOY, pods, render
from tests.serving import free_port, wait_until

SCRAPE = DEPLOY / "components" / "prometheus-annotations" / "scrape-config.yaml"


def discovered(overlay: str, address: str) -> list[dict[str, Any]]:
    """Return what Kubernetes' service discovery says of the pods of an overlay, all at one address."""
    groups = []
    for pod in pods(render(overlay)):
        meta = {"__meta_kubernetes_namespace": pod.owner["metadata"]["namespace"]}
        meta["__meta_kubernetes_pod_name"] = f"{pod.owner['metadata']['name']}-1"
        meta["__meta_kubernetes_pod_phase"] = "Running"
        for kind, values in (("label", pod.labels), ("annotation", pod.annotations)):
            for name, value in values.items():
                safe = name.replace(".", "_").replace("/", "_").replace("-", "_")
                meta[f"__meta_kubernetes_pod_{kind}_{safe}"] = value
        groups.append({"targets": [address], "labels": meta})
    return groups


def targets(folder: Path, overlay: str) -> list[dict[str, Any]]:
    """Return the targets that a Prometheus with the shipped job makes of an overlay's pods."""
    configuration = yaml.safe_load(SCRAPE.read_text())
    (job,) = configuration["scrape_configs"]
    del job["kubernetes_sd_configs"]  # Debian builds its Prometheus without it
    job["file_sd_configs"] = [{"files": ["pods.json"]}]
    (folder / "pods.json").write_text(json.dumps(discovered(overlay, "127.0.0.1:1")))
    with running_prometheus(folder, free_port(), scrape=job) as prometheus:
        url = f"{prometheus.url}/api/v1/targets"
        wait_until(lambda: requests.get(url, timeout=5).json()["data"]["activeTargets"], "targets")
        return requests.get(url, timeout=5).json()["data"]["activeTargets"]


def test_annotated_pods_get_the_labels_of_the_rules(tmp_path: Path) -> None:
    found = targets(tmp_path, "tests/canary")
    labels = {(each["labels"]["track"], each["labels"]["pod"]) for each in found}
    assert labels == {("stable", "digits-1"), ("canary", "digits-canary-1")}
    for each in found:
        assert each["labels"]["job"] == "digits"
        assert each["labels"]["namespace"] == "digits-test"
        assert each["scrapeUrl"] == "http://127.0.0.1:8080/metrics"


def test_only_the_service_is_scraped(tmp_path: Path) -> None:
    (only,) = targets(tmp_path, "overlays/staging")
    assert only["labels"]["pod"] == "digits-1"
