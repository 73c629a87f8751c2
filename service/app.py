"""The application, put together from what it is handed.

Settings, ModelRegistry, Metrics -> create_app -> WSGI application
request -> Frame -> images: Uploads, everything else: Flask -> answer
"""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from flask.json.provider import DefaultJSONProvider

from service.api.auth import Key
from service.api.observability import Frame, exchange_of
from service.api.page import create_page
from service.api.predict import Uploads
from service.api.problems import register_problems
from service.api.status import create_routes
from service.api.uploads import check_size
from service.api.v2 import create_v2
from service.config import Settings
from service.metrics import Metrics
from service.openapi.document import create_openapi
from service.registry import ModelRegistry

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Json(DefaultJSONProvider):
    """Flask's JSON with one encoder for all answers, members in the order in which they are given."""

    encode = staticmethod(json.JSONEncoder(separators=(",", ":"), default=DefaultJSONProvider.default).encode)

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return `obj` as compact JSON."""
        return self.encode(obj)


class Application(Flask):
    """Flask, behind what every request gets, and beside what answers images.

    It goes without what only coroutines need, which Flask would look for in each function at each request.
    """

    json_provider_class = Json

    def __init__(self, frame: Frame, uploads: Uploads) -> None:
        super().__init__("service", static_folder=None)
        self._frame = frame
        self._uploads = uploads
        for path in uploads.routes:  # for other methods: what is allowed, and that nothing else is
            self.add_url_rule(path, path, methods=["POST"])

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return `func`: no function here is a coroutine."""
        return func

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        is_upload = environ["PATH_INFO"] in self._uploads.routes and environ["REQUEST_METHOD"] == "POST"
        return self._frame.answer(self._uploads if is_upload else self.wsgi_app, environ, start_response)


def create_app(settings: Settings, models: ModelRegistry, metrics: Metrics) -> Flask:
    """Return the application over its collaborators; it starts nothing and reads no environment."""
    key = Key(settings)
    app = Application(Frame(metrics), Uploads(settings, models, metrics, key))
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes
    app.extensions["draining"] = lambda: False
    register_problems(app)
    app.register_blueprint(create_routes(models, metrics))
    app.register_blueprint(create_v2(settings, models, metrics))
    app.register_blueprint(create_openapi(settings))
    app.register_blueprint(create_page())

    @app.before_request
    def begin() -> None:
        route = exchange_of(request.environ).route = request.url_rule.rule if request.url_rule else None
        check_size(request.environ)
        key.check(route or request.path, request.headers)

    return app
