"""With a key, only requests that carry it are answered."""

import io
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from service.api.auth import keys_of
from service.app import create_app
from service.config import Settings
from service.metrics import Metrics
from service.model.artifact import save
from service.registry import ModelRegistry
from tests.drawing import digit_png
from tests.tiny import tiny_content

KEY = "s3cret-clé"


@pytest.fixture(params=["a file", "the environment"])
def client(tmp_path: Path, request: pytest.FixtureRequest) -> FlaskClient:
    (tmp_path / "key").write_text(f"{KEY}\n")
    save(tmp_path / "tiny.npz", tiny_content())
    key = {
        "a file": ("DIGITS_API_KEY_FILE", str(tmp_path / "key")),
        "the environment": ("DIGITS_API_KEY", KEY),
    }
    settings = Settings.from_env(dict([key[request.param]]) | {"DIGITS_DEFAULT_MODEL": "tiny"})
    assert KEY not in repr(settings)
    models = ModelRegistry(tmp_path, "tiny")
    models.refresh()
    return create_app(settings, models, Metrics(CollectorRegistry())).test_client()


def ask(client: FlaskClient, **headers: str):
    return client.post("/predict", data={"file": (io.BytesIO(digit_png(1)), "1.png")}, headers=headers)


@pytest.mark.parametrize(
    "headers", [{"Authorization": f"Bearer {KEY}"}, {"Authorization": f"bearer {KEY}"}, {"X-API-Key": KEY}]
)
def test_the_key_opens_the_service(client, headers):
    encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    assert ask(client, **encoded).status_code == 200


@pytest.mark.parametrize(("key", "status"), [("old", 200), ("new", 200), ("old\nnew", 401), ("", 401)])
def test_each_line_of_the_file_is_a_key_during_a_rotation(tmp_path, key, status):
    (tmp_path / "keys").write_text("old\n\n new \n")
    settings = Settings.from_env({"DIGITS_API_KEY_FILE": str(tmp_path / "keys")})
    assert keys_of(settings) == [b"old", b"new"]
    client = create_app(settings, ModelRegistry(tmp_path, "none"), Metrics(CollectorRegistry())).test_client()
    assert client.get("/models", headers={"X-API-Key": key.replace("\n", " ")}).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer s3cret"},
        {"Authorization": f"Basic {KEY}"},
        {"X-API-Key": ""},
    ],
)
def test_without_the_key_it_says_how_to_send_one(client, headers):
    response = ask(client, **{name: value.encode().decode("latin-1") for name, value in headers.items()})
    assert response.status_code == 401
    assert response.content_type == "application/problem+json"
    assert response.json["detail"] == "Send the key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."
    assert re.fullmatch("bearer", response.headers["WWW-Authenticate"].strip(), re.IGNORECASE)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"])
def test_probes_and_scrapes_need_no_key(client, path):
    assert client.get(path).status_code == 200


def test_a_setting_has_scrapes_need_the_key_too(tmp_path):
    settings = Settings.from_env({"DIGITS_API_KEY": KEY, "DIGITS_METRICS_OPEN": "false"})
    app = create_app(settings, ModelRegistry(tmp_path, "tiny"), Metrics(CollectorRegistry()))
    key = {"Authorization": f"Bearer {KEY.encode().decode('latin-1')}"}
    statuses = [app.test_client().get("/metrics", headers=headers).status_code for headers in ({}, key)]
    assert statuses == [401, 200]


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/static/page.js"])
def test_the_page_needs_none_to_ask_for_it(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/models", "/v2", "/v2/models/tiny", "/nothing", "/static", "/static/../models"]
)
def test_everything_else_does(client, path):
    assert client.get(path).status_code == 401


def test_the_key_is_compared_in_constant_time(client, monkeypatch):
    compared = []

    def compare(given: bytes, wanted: bytes) -> bool:
        compared.append((given, wanted))
        return False

    monkeypatch.setattr("service.api.auth.hmac.compare_digest", compare)
    assert ask(client, **{"X-API-Key": "wrong"}).status_code == 401
    assert compared == [(b"wrong", KEY.encode())]  # and its word is the last
    assert ask(client, **{"X-API-Key": KEY.encode().decode("latin-1")}).status_code == 401


def test_without_a_setting_there_is_no_key():
    assert keys_of(Settings()) == []
