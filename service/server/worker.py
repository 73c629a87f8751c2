"""The worker process: uvicorn under gunicorn, with our protocol class and the application behind it.

gunicorn's master -> Worker -> uvicorn's server -> Protocol -> Bridge -> Flask
"""

import asyncio
import logging
import signal
from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker

from service.app import Application
from service.asgi import Bridge
from service.config import Settings
from service.server.protocol import Protocol


class Worker(UvicornWorker):
    """One process that answers requests; gunicorn starts it and watches over it."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "http": Protocol,
        "loop": "uvloop",
        "ws": "none",
        "interface": "asgi3",
        "lifespan": "on",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
    }

    def serve(self, application: Application, settings: Settings) -> None:
        """Put an application behind ASGI; called before the event loop starts."""
        self.config.timeout_graceful_shutdown = settings.graceful_timeout_seconds
        # Of what clients send there is one line a request, the application's own.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self.wsgi = Bridge(
            application, settings, lambda: _drain_on_sigterm(application, settings.drain_seconds)
        )


def _drain_on_sigterm(application: Application, seconds: float) -> None:
    """Have SIGTERM take readiness away first, and stop the server after the time set for that."""
    loop, stop = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def drain() -> None:
        application.is_draining = True
        loop.call_later(seconds, stop, signal.SIGTERM, None)

    loop.add_signal_handler(signal.SIGTERM, drain)
