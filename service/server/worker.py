"""The worker process: uvicorn under gunicorn, with our protocol class and the application behind it.

gunicorn's master -> Worker -> uvicorn's server -> Protocol -> Bridge -> Flask
"""

import asyncio
import signal
from typing import Any, ClassVar, cast

from uvicorn_worker import UvicornWorker

from service.api.status import DRAINING
from service.app import Application
from service.asgi import Bridge
from service.config import Settings
from service.server.balance import Balance
from service.server.protocol import Protocol


class Worker(UvicornWorker):
    """One process that answers requests; gunicorn starts it and watches over it."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {"http": Protocol, "loop": "uvloop", "ws": "none"}
    CONFIG_KWARGS |= dict.fromkeys(("proxy_headers", "server_header", "access_log"), False)

    def serve(self, app: Application, settings: Settings, slot: int) -> None:
        """Serve an application over ASGI; slot: the worker's place among all workers."""

        def drain_on_sigterm() -> None:
            loop, stop = asyncio.get_running_loop(), cast(Any, signal.getsignal(signal.SIGTERM))

            def drain() -> None:
                app.config[DRAINING] = self.wsgi.is_draining = True
                # At least a moment, so that waiting connections are still accepted.
                loop.call_later(max(settings.drain_seconds, 0.2), stop, signal.SIGTERM, None)

            loop.add_signal_handler(signal.SIGTERM, drain)

        self.wsgi = Bridge(app, settings, drain_on_sigterm, lambda: Protocol.balance.count(-1))
        self.config.timeout_graceful_shutdown = settings.graceful_timeout_seconds
        Protocol.balance, Protocol.max_connections = Balance(slot, app.connected), self.cfg.worker_connections
        Protocol.balance.count(0)
