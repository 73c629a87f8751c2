"""The API description is true: it has every route and problem, and what the service does is in it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client import CollectorRegistry

from service.api.auth import open_routes
from service.api.problems import STATUSES, problem_type
from service.app import create_app
from service.config import Settings
from service.metrics import Metrics
from service.openapi.document import describe_api, describe_service
from service.registry import ModelRegistry
from tests.serving import PROJECT, Server

SETTINGS = Settings()
DOCUMENT = describe_api(SETTINGS)


def test_the_document_is_valid_openapi_31() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_service_answers_the_document(service: Server) -> None:
    response = requests.get(f"{service.url}/openapi.json", timeout=30)
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == DOCUMENT


def test_every_route_and_method_is_described_and_none_else(tmp_path: Path) -> None:
    app = create_app(SETTINGS, ModelRegistry(tmp_path, "none"), Metrics(CollectorRegistry()))
    routes = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert routes == {(path, method) for path, item in DOCUMENT["paths"].items() for method in item}


def test_every_problem_type_is_described_under_its_status() -> None:
    described = set()
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            for status, response in operation["responses"].items():
                for content in response["content"].values():
                    for part in content["schema"].get("allOf", []):
                        types = part.get("properties", {}).get("type", {}).get("enum", [])
                        described |= {
                            (each, int(status)) for each in types if not path.startswith(("/v1", "/v2"))
                        }
    described = {(name, status) for name, status in described if name != "about:blank"}
    assert described == {(problem_type(error), status) for error, status in STATUSES.items()}


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("metrics_open", ["true", "false"])
def test_every_guarded_operation_asks_for_the_key(tmp_path: Path, metrics_open: str) -> None:
    (tmp_path / "key").write_text("secret")
    settings = Settings.from_env(
        {"DIGITS_API_KEY_FILE": str(tmp_path / "key"), "DIGITS_METRICS_OPEN": metrics_open}
    )
    document = describe_service(settings)
    OpenAPIV31SpecValidator(document).validate()
    assert describe_service(SETTINGS) == DOCUMENT
    assert {name for each in document["security"] for name in each} == set(
        document["components"]["securitySchemes"]
    )
    app = create_app(settings, ModelRegistry(tmp_path, "none"), Metrics(CollectorRegistry())).test_client()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            response = app.open(path.replace("{", "").replace("}", ""), method=method)
            described = operation["responses"].get("401")
            assert (response.status_code == 401) == bool(described) == ("security" not in operation), path
            if described:
                assert response.content_type in described["content"]
                assert {*response.headers.keys()} >= described["headers"].keys()
    opened = {
        path
        for path, item in document["paths"].items()
        if "401" not in next(iter(item.values()))["responses"]
    }
    assert {path.replace("{", "<").replace("}", ">") for path in opened} == open_routes(settings)


def test_the_description_says_how_the_saliency_is_made() -> None:
    saliency = DOCUMENT["components"]["schemas"]["Explanation"]["properties"]["saliency"]
    assert "gradient" in saliency["description"]


def undescribed(value: Any, schema: dict[str, Any], path: str = "") -> set[str]:
    """Return the fields of an answer that its schema does not name."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        return {each for item in value for each in undescribed(item, schema.get("items", {}), path)}
    if not isinstance(value, dict):
        return set()
    known = schema.get("properties", {})
    missing = {f"{path}/{name}" for name in value.keys() - known.keys()}
    both = value.keys() & known.keys()
    return missing.union(*(undescribed(value[name], known[name], f"{path}/{name}") for name in both))


def test_every_field_of_the_inference_protocol_is_described(service: Server) -> None:
    """The other schemas forbid what they do not name; those of the protocol leave room, for its clients."""
    pixels = {"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": [0.5] * 64}
    model = "/v2/models/digits-8x8"
    asked: dict[str, Any] = dict.fromkeys(["/v2", "/v2/health/live", "/v2/health/ready", "/v2/models", model])
    asked |= {f"{model}/ready": None, "/v2/repository/index": {}}
    asked[f"{model}/infer"] = {"id": "1", "inputs": [pixels]}
    for path, body in asked.items():
        method = "get" if body is None else "post"
        response = requests.request(method, service.url + path, json=body, timeout=30)
        operation = DOCUMENT["paths"][path.replace("digits-8x8", "{name}")][method]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert response.status_code == 200
        assert undescribed(response.json(), schema) == set(), path


def test_generated_requests_are_answered_as_described(service: Server, tmp_path: Path) -> None:
    """Over a thousand requests, well-formed and not, by schemathesis; what it may send as images is ours."""
    command = [
        Path(sys.executable).with_name("schemathesis"),
        *("run", f"{service.url}/openapi.json", "--max-examples=20", "--seed=1", "--no-color"),
        # A well-formed request may hold a picture that is none, or tensors for another model.
        "--exclude-checks=positive_data_acceptance",
    ]
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "SCHEMATHESIS_HOOKS": "tests.service.api.api_pictures",
    }
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert int(re.search(r"(\d+) generated", run.stdout)[1]) >= 1000
