"""Every route of the interface is a view of Flask's, and nothing answers before it."""

from typing import Any

from service.api.observability import Observer
from tests.service.api.test_uploads import IMAGE, TENSOR
from tests.service.tiny_app import form_of

# What INTERFACE.md promises and this version has.
ROUTES = {
    ("POST", "/predict"),
    ("POST", "/predict/batch"),
    ("GET", "/models"),
    ("GET", "/models/<name>"),
    ("GET", "/metrics"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/"),
    ("GET", "/v2"),
    ("GET", "/v2/health/ready"),
    ("POST", "/v2/models/<name>/infer"),
}


def test_flask_has_a_view_for_every_route(client):
    app = client.application
    rules = {
        (method, rule.rule): rule.endpoint for rule in app.url_map.iter_rules() for method in rule.methods
    }
    assert rules.keys() >= ROUTES
    assert {rules[route] for route in ROUTES} <= app.view_functions.keys()
    assert set(rules.values()) == app.view_functions.keys()


def test_nothing_answers_in_front_of_flask(client, monkeypatch):
    """Only the observer is around Flask's own WSGI application, and every answer comes out of a view."""
    app = client.application
    assert isinstance(app.wsgi_app, Observer)
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/predict", {"data": IMAGE, "content_type": "image/png"}),
        ("POST", "/predict/batch", form_of(("file", "a.png", IMAGE))),
        ("POST", "/v2/models/tiny/infer", {"json": {"inputs": [TENSOR]}}),
        ("GET", "/livez", {}),
        ("GET", "/metrics", {}),
        ("GET", "/", {}),
        ("GET", "/openapi.json", {}),
    ]
    for method, path, body in requests:
        assert client.open(path, method=method, **body).status_code == 200
    for endpoint in app.view_functions:
        app.view_functions[endpoint] = lambda **names: ("from a view", 299)
    for method, path, body in requests:
        assert client.open(path, method=method, **body).status_code == 299, path


def test_more_slashes_are_another_path(client):
    found = {rule.rule.replace("<", "").replace(">", "") for rule in client.application.url_map.iter_rules()}
    for path in sorted(found | {"/nothing"}):
        for doubled in (f"/{path}", path.replace("/", "//"), f"{path}//", f"//{path}/"):
            if doubled == path:
                continue
            for method in ("GET", "POST"):
                response = client.open(
                    method=method, base_url="http://localhost", environ_overrides={"PATH_INFO": doubled}
                )
                assert response.status_code == 404, (method, doubled)
                assert "Location" not in response.headers
