"""Below a prefix: by a setting or a trusted proxy's header, with the prefix in the path or stripped of it."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from service.app import create_app
from service.config import Settings, SettingsError
from service.metrics import Metrics
from service.model.artifact import save
from service.registry import ModelRegistry
from tests.drawing import digit_png
from tests.tiny import tiny_content

PATHS = ("/", "/docs", "/openapi.json", "/static/page.js", "/models", "/metrics", "/livez", "/v2")


def client_with(folder: Path, **settings: Any) -> FlaskClient:
    save(folder / "tiny.npz", tiny_content())
    models = ModelRegistry(folder, "tiny")
    models.refresh()
    app = create_app(Settings(default_model="tiny", **settings), models, Metrics(CollectorRegistry()))
    return app.test_client()


def servers(client: FlaskClient, path: str, forwarded: str = "") -> list[dict[str, str]]:
    headers = {"X-Forwarded-Prefix": forwarded} if forwarded else {}
    return client.get(path, headers=headers).json["servers"]


def test_every_route_answers_with_the_prefix_and_stripped_of_it(tmp_path: Path) -> None:
    client = client_with(tmp_path, root_path="/tools/digits")
    for path in PATHS:
        assert client.get(path).status_code == 200
        assert client.get(f"/tools/digits{path}").status_code == 200, path
        assert client.get(f"/tools/digits{path}").headers.get("Location") is None
    raw = {"data": digit_png(3), "content_type": "image/png"}
    assert client.post("/tools/digits/predict", **raw).json == client.post("/predict", **raw).json


@pytest.mark.parametrize("path", ["/tools/digitsx/livez", "/tools", "/tools/digits//livez", "/digits/livez"])
def test_what_only_looks_like_the_prefix_is_not_found(tmp_path: Path, path: str) -> None:
    response = client_with(tmp_path, root_path="/tools/digits").get(path)
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"


def test_the_prefix_without_its_slash_leads_to_the_page(tmp_path: Path) -> None:
    response = client_with(tmp_path, root_path="/digits").get("/digits")
    assert response.status_code == 308
    assert response.headers["Location"] == "/digits/"


def test_the_description_names_the_prefix_as_its_server(tmp_path: Path) -> None:
    client = client_with(tmp_path, root_path="/digits", trust_proxy=True)
    assert servers(client, "/openapi.json") == [{"url": "/digits"}]
    assert servers(client, "/openapi.json", forwarded="/a/b/") == [{"url": "/a/b"}]
    assert servers(client, "/a/b/openapi.json", forwarded="/a/b") == [{"url": "/a/b"}]
    assert servers(client_with(tmp_path), "/openapi.json") == [{"url": "/"}]


@pytest.mark.parametrize(
    "prefix", ["//evil.example", "/a/../b", "https://evil.example", "/a?b", '/"><script>']
)
def test_a_forwarded_prefix_that_is_no_path_counts_as_none(tmp_path: Path, prefix: str) -> None:
    client = client_with(tmp_path, trust_proxy=True)
    assert servers(client, "/openapi.json", forwarded=prefix) == [{"url": "/"}]


def test_a_forwarded_prefix_counts_only_from_a_trusted_proxy(tmp_path: Path) -> None:
    assert servers(client_with(tmp_path), "/openapi.json", forwarded="/digits") == [{"url": "/"}]


@pytest.mark.parametrize(("text", "path"), [("/digits/", "/digits"), ("/", ""), ("/a/b.c-d_~", "/a/b.c-d_~")])
def test_the_setting_takes_a_path(text: str, path: str) -> None:
    assert Settings.from_env({"DIGITS_ROOT_PATH": text}).root_path == path


@pytest.mark.parametrize("text", ["digits", "//digits", "/a/../b", "/a b", "https://host/digits"])
def test_the_setting_refuses_what_is_no_path(text: str) -> None:
    with pytest.raises(SettingsError, match=r"DIGITS_ROOT_PATH is .* a path such as /digits"):
        Settings.from_env({"DIGITS_ROOT_PATH": text})
