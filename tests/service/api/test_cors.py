"""Pages of other hosts: those of the origins in the settings may ask, preflight included, and no other."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.config import Settings, SettingsError
from tests.drawing import digit_png
from tests.service.api.test_prefix import client_with

APP, OTHER = "https://app.example", "http://127.0.0.1:8000"
RAW: dict[str, Any] = {"data": digit_png(3), "content_type": "image/png"}


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """A service with a key and two origins."""
    return client_with(tmp_path, api_key="secret", cors_origins=(APP, OTHER))


def preflight(client: FlaskClient, origin: str, headers: str = "content-type,x-api-key") -> Any:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    return client.options("/predict", headers={"Origin": origin} | asked)


@pytest.mark.parametrize("origin", [APP, OTHER])
def test_a_preflight_of_an_allowed_origin_needs_no_key(client: FlaskClient, origin: str) -> None:
    response = preflight(client, origin)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Allow-Headers"].lower() == "content-type, x-api-key"
    assert int(response.headers["Access-Control-Max-Age"]) > 0
    assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize("key", ["secret", "wrong"])
def test_answers_and_refusals_can_be_read_by_an_allowed_origin(client: FlaskClient, key: str) -> None:
    response = client.post("/predict", headers={"Origin": APP, "X-API-Key": key}, **RAW)
    assert response.status_code == (200 if key == "secret" else 401)
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert "X-Request-Id" in response.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("origin", ["https://app.example.evil.example", "http://app.example", "null"])
def test_other_origins_are_told_nothing(client: FlaskClient, origin: str) -> None:
    for response in (preflight(client, origin), client.post("/predict", headers={"Origin": origin}, **RAW)):
        assert response.headers.get("Access-Control-Allow-Origin") != origin
        assert response.headers.get("Access-Control-Allow-Origin") != "*"


def test_all_origins_may_ask_where_the_setting_is_a_star(tmp_path: Path) -> None:
    client = client_with(tmp_path, cors_origins=("*",))
    assert (
        client.post("/predict", headers={"Origin": APP}, **RAW).headers["Access-Control-Allow-Origin"] == "*"
    )


def test_without_the_setting_there_are_no_such_headers(tmp_path: Path) -> None:
    client = client_with(tmp_path, api_key="secret")
    response = preflight(client, APP)
    assert response.status_code == 401
    assert [name for name in dict(response.headers) if name.startswith("Access-Control")] == []


@pytest.mark.parametrize("text", ["app.example", "https://", "https://a b", "https://a/path", "https://[*"])
def test_the_setting_refuses_what_is_no_origin(text: str) -> None:
    with pytest.raises(SettingsError, match=r"DIGITS_CORS_ORIGINS is .* or origins such as"):
        Settings.from_env({"DIGITS_CORS_ORIGINS": f"{APP},{text}"})


def test_the_setting_takes_origins_between_commas() -> None:
    settings = Settings.from_env({"DIGITS_CORS_ORIGINS": f"{APP}, {OTHER},"})
    assert settings.cors_origins == (APP, OTHER)
