"""The Flask application, put together from what it is handed.

Settings, ModelRegistry, Metrics -> create_app -> WSGI application
"""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request
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

logger = logging.getLogger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})  # asked every few seconds: logged at debug


def create_app(settings: Settings, models: ModelRegistry, metrics: Metrics) -> Flask:
    """Return the application over its collaborators; it starts nothing and reads no environment."""
    app = Flask("service", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
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
        g.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        g.started = time.perf_counter()
        metrics.requests_in_flight.inc()
        if getattr(request.environ.get("gunicorn.socket"), "too_large", False):
            raise RequestEntityTooLarge  # the worker did not wait for the rest of the body

    require_key(app, settings.api_key_file)

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        metrics.requests_in_flight.dec()
        route = request.url_rule.rule if request.url_rule else None
        metrics.request_answered(request.method, route, response.status_code, seconds)
        response.headers["X-Request-Id"] = g.request_id
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        log_request(response, route, seconds)
        return response

    return app


def log_request(response: Response, route: str | None, seconds: float) -> None:
    """Write the one line about a request; never anything of the image."""
    level = logging.DEBUG if route in QUIET_ROUTES and response.status_code < 500 else logging.INFO
    extra = {
        "request_id": g.request_id,
        "method": request.method,
        "route": route,
        "path": request.path[:200],
        "status": response.status_code,
        "milliseconds": round(seconds * 1000, 3),
        "bytes": request.content_length,
    }
    for name in ("digit", "model_version", "problem"):
        if name in g:
            extra[name] = g.get(name)
    logger.log(level, "request", extra=extra)
