"""The application, built from its collaborators; Flask answers every route.

Settings, ModelRegistry, Metrics -> create_app -> WSGI application

Views that wait are coroutines. If the server runs an event loop, they run on it (coroutines.py). Under any
other WSGI server, and under Flask's test client, they run on one background event loop of the process.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import orjson
from flask import Flask, Request
from flask.json.provider import DefaultJSONProvider
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import BaseConverter, MapAdapter

from service.api.admission import admit
from service.api.auth import Key
from service.api.cors import allow_origins
from service.api.inference import create_v1, create_v2
from service.api.observability import Observer
from service.api.page import create_page
from service.api.predict import create_predict
from service.api.prefix import below_prefix
from service.api.problems import register_problems
from service.api.read import create_read
from service.api.status import DRAINING, create_status
from service.config import Settings
from service.coroutines import run
from service.metrics import Metrics
from service.openapi.document import create_openapi
from service.prediction import PageReader, Predictor, Threads
from service.registry import ModelRegistry
from service.tracing import Tracing


class Json(DefaultJSONProvider):
    """Flask's JSON, encoded by orjson: compact, with members in the given order."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return `obj` as compact JSON."""
        return orjson.dumps(obj).decode()


class NoSessions(SessionInterface):
    """No sessions: cookies are neither read nor written."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """Return the session that all requests share; it holds nothing."""
        return _NO_SESSION

    def is_null_session(self, obj: object) -> bool:
        """Return True."""
        return True


_NO_SESSION = NullSession()


class Name(BaseConverter):
    """A segment of a path, up to the colon before a verb, as in /v1/models/NAME:predict."""

    regex = "[^/:]+"


class Application(Flask):
    """Flask, with its coroutine views on the running event loop."""

    json_provider_class = Json
    session_interface = NoSessions()
    connected: Callable[[int], None]  # a server that counts its connections calls this with their number

    def __init__(self) -> None:
        super().__init__("service", static_folder=None)
        self.config[DRAINING] = False
        self.tracing = Tracing()
        self._synchronous: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.url_map.converters["default"] = Name
        self.url_map.merge_slashes = False  # //predict must not redirect to a host that the client named

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a synchronous function for `func`, the same one each time."""
        if func not in self._synchronous:
            self._synchronous[func] = super().ensure_sync(func)
        return self._synchronous[func]

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return the adapter that matches the path of a request and ignores the host in its Host header."""
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        if path.startswith("//"):
            path = f"/-{path}"  # matches no rule; werkzeug would treat //predict as /predict
        # The page redirects a prefix without its slash; werkzeug's own redirect would name the wrong host.
        path = path or "/"
        return self.url_map.bind(
            "localhost", environ["SCRIPT_NAME"], path_info=path, default_method=environ["REQUEST_METHOD"]
        )

    def async_to_sync(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        """Return a synchronous function that runs the coroutine function `func`."""

        @wraps(func)
        def call(*args: Any, **kwargs: Any) -> Any:
            return run(func(*args, **kwargs))

        return call


def create_app(settings: Settings, models: ModelRegistry, metrics: Metrics) -> Application:
    """Return the application; it starts nothing and reads no environment."""
    app = Application()
    app.connected = metrics.process.connections.set
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes
    threads = Threads(settings, metrics)
    predictor = Predictor(settings, metrics, threads)
    observer = Observer(app.wsgi_app, metrics, app.tracing)
    app.wsgi_app = below_prefix(observer, settings)  # type: ignore[method-assign,assignment]
    allow_origins(app, settings)
    admit(app, observer, Key(settings), preflights=bool(settings.cors_origins))
    register_problems(app)
    app.register_blueprint(create_predict(settings, models, predictor))
    app.register_blueprint(create_v1(settings, models, predictor))
    app.register_blueprint(create_read(models, PageReader(settings, metrics, threads)))
    app.register_blueprint(create_v2(settings, models, predictor))
    app.register_blueprint(create_status(models, metrics))
    app.register_blueprint(create_openapi(settings))
    app.register_blueprint(create_page())
    return app
