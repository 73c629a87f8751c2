"""The Flask application, put together from what it is handed.

Settings, ModelRegistry, Metrics -> create_app -> WSGI application
"""

import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, g, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import RequestEntityTooLarge

from service.access import require_key
from service.config import Settings
from service.headers import SECURITY_HEADERS
from service.metrics import Metrics
from service.openapi import create_openapi
from service.page import create_page
from service.problems import register_problems
from service.registry import ModelRegistry
from service.routes import create_routes
from service.v2 import create_v2

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

COMMON = list(SECURITY_HEADERS.items())
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})  # asked every few seconds: logged at debug


class Json(DefaultJSONProvider):
    """Flask's JSON with one encoder for all answers, members in the order in which they are given."""

    encode = staticmethod(json.JSONEncoder(separators=(",", ":"), default=DefaultJSONProvider.default).encode)

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return `obj` as compact JSON."""
        return self.encode(obj)


class Application(Flask):
    """Flask without what only coroutines need, which it would look for in each function at each request."""

    json_provider_class = Json

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return `func`: no function here is a coroutine."""
        return func

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer, with the headers that every answer carries; those that a route has set stay."""

        def begin(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            present = {name.lower() for name, _ in headers}
            return start_response(
                status, headers + [each for each in COMMON if each[0].lower() not in present], *error
            )

        return self.wsgi_app(environ, begin)


def create_app(settings: Settings, models: ModelRegistry, metrics: Metrics) -> Flask:
    """Return the application over its collaborators; it starts nothing and reads no environment."""
    app = Application("service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes
    app.config["MAX_FORM_PARTS"] = settings.max_batch_images + 8
    app.extensions["draining"] = lambda: False
    register_problems(app)
    app.register_blueprint(create_routes(settings, models, metrics))
    app.register_blueprint(create_v2(settings, models, metrics))
    app.register_blueprint(create_openapi(settings))
    app.register_blueprint(create_page())

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
        g.started = time.perf_counter()
        metrics.requests_in_flight.inc()
        if getattr(request.environ.get("gunicorn.socket"), "too_large", False):
            raise RequestEntityTooLarge  # the worker did not wait for the rest of the body

    require_key(app, settings)

    @app.after_request
    def finish(response: Response) -> Response:
        # Each use of the proxies `g` and `request` looks up the context: once is enough.
        noted, asked = vars(g._get_current_object()), request._get_current_object()  # type: ignore[attr-defined]
        seconds = time.perf_counter() - noted["started"]
        metrics.requests_in_flight.dec()
        route = asked.url_rule.rule if asked.url_rule else None
        metrics.request_answered(asked.method, route, response.status_code, seconds)
        response.headers["X-Request-Id"] = noted["request_id"]
        log_request(asked, response, noted, route, seconds)
        return response

    return app


def log_request(
    asked: Request, response: Response, noted: dict[str, Any], route: str | None, seconds: float
) -> None:
    """Write the one line about a request; never anything of the image.

    noted: what the request's handlers left in `g`.
    """
    level = logging.DEBUG if route in QUIET_ROUTES and response.status_code < 500 else logging.INFO
    extra = {
        "request_id": noted["request_id"],
        "method": asked.method,
        "route": route,
        "path": asked.path[:200],
        "status": response.status_code,
        "milliseconds": round(seconds * 1000, 3),
        "bytes": asked.content_length,
    }
    extra |= {name: noted[name] for name in ("digit", "model_version", "problem") if name in noted}
    logger.log(level, "request", extra=extra)
