"""From ASGI to WSGI: read a whole request, then let Flask answer it in a greenlet of the event loop.

    scope -> does HTTP forbid it? -> body, within size, time and memory -> environ -> Flask -> answer

Flask also answers what is refused here: the error travels in the environ, and the application raises it once
the request has a route and an id, so that it appears in the metrics and the log.
"""

import asyncio
import contextlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, RequestTimeout

from service.api.admission import REFUSAL
from service.api.observability import RECEIVED
from service.api.problems import OverloadedError
from service.config import Settings
from service.coroutines import InGreenlet
from service.heads import check_head, environ_of

EXTENSION = "digits"  # of the ASGI scope: the Arrival that the protocol and this bridge share
HELD_BODIES = 4  # of the largest size, in each worker; many more small ones fit
LEAST_BYTES_PER_SECOND = 4096
MAX_FRAMING_BYTES = 1024 * 1024  # of chunks, beside the body itself
DRAINING_SECONDS = 2.0

NO_ROOM = "There is no memory left for so large a body. Send it again a little later."
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


@dataclass(eq=False, slots=True)
class Arrival:
    """How a request arrives.

    received: when its head was complete, in seconds of time.perf_counter. is_whole: its body is complete.
    is_broken: its body is not framed as HTTP requires. has_ended: its client sends no more.
    is_draining: it is refused, and the rest of its body is discarded.
    """

    received: float = 0.0
    received_bytes: int = 0
    is_whole: bool = False
    is_broken: bool = False
    has_ended: bool = False
    is_draining: bool = False


class ClientLeftError(Exception):
    """The client closed the connection before its request was complete."""


class Body:
    """A body that is arriving; timeout: expires if the client is too slow, or if its memory is needed."""

    timeout: asyncio.Timeout

    def __init__(self) -> None:
        self.content = io.BytesIO()
        self.size = 0
        self.is_incomplete = False
        self.is_evicted = False


class Bridge:
    """The ASGI application over a WSGI application; one for each worker.

    is_draining: the worker is about to stop; each answer ends its connection.
    """

    is_draining = False

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        settings: Settings,
        on_start: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self._application = application
        self._on_start, self._on_end = on_start, on_end
        self._in_flight = 0
        self._bodies: set[Body] = set()
        self._held_bytes = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or (scope "lifespan") begin and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        arrival: Arrival = scope.get("extensions", {}).get(EXTENSION) or Arrival()
        environ = environ_of(scope)
        environ[RECEIVED] = arrival.received
        body = Body()
        self._bodies.add(body)
        try:
            try:
                check_head(scope)
                await self._read(body, environ, receive, arrival)
            except ClientLeftError:
                return
            except Exception as error:
                environ[REFUSAL] = error
                self._let_go(body)
            else:
                body.content.getvalue()  # releases the spare capacity of the buffer without a copy
                body.content.seek(0)
                environ["wsgi.input"], body.content = body.content, io.BytesIO()
                if self._in_flight >= self.settings.max_in_flight:
                    environ[REFUSAL] = OverloadedError(
                        "The service is answering as many requests as it can. Send it again a little later."
                    )
            self._in_flight += 1
            try:
                status, headers, content = await InGreenlet(self._call, environ)
            finally:
                self._in_flight -= 1
        finally:
            self._let_go(body)
            is_refused = REFUSAL in environ
            environ.clear()  # an error, whose traceback has the environ, would keep the body with it
        if is_refused or self.is_draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if body.is_incomplete:
            await send({"type": "http.response.body", "body": content, "more_body": True})
            await _drain(receive, arrival)
            content = b""
        await send({"type": "http.response.body", "body": content})

    def refuse(self, error: Exception, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Return the complete answer to bytes that are not a valid request; headers: the server's."""
        scope = {"method": "", "path": "/", "query_string": b"", "http_version": "1.1", "headers": []}
        status, own_headers, content = self._call(environ_of(scope) | {REFUSAL: error})
        lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
        lines += [b"%s: %s" % header for header in (*headers, *own_headers, (b"connection", b"close"))]
        return b"\r\n".join(lines) + b"\r\n\r\n" + content

    def _call(self, environ: dict[str, Any]) -> Answer:
        """Return the application's answer."""
        started: list[Any] = []
        pieces: Iterable[bytes] = self._application(environ, lambda *answer: started.extend(answer))
        try:
            content = b"".join(pieces)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        status, headers = started[:2]
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return int(status[:3]), encoded, content

    async def _read(self, body: Body, environ: dict[str, Any], receive: Any, arrival: Arrival) -> None:
        """Read the whole body; raises the error that refuses the request."""
        loop, limit = asyncio.get_running_loop(), self.settings.max_upload_bytes
        more = "HTTP_TRANSFER_ENCODING" in environ or environ.get("CONTENT_LENGTH", "0") != "0"
        # A client that sends "Expect: 100-continue" gets no 100 for a body that is too large.
        if more and int(environ.get("CONTENT_LENGTH", 0)) > limit:
            body.is_incomplete = "HTTP_EXPECT" not in environ
            raise RequestEntityTooLarge
        started = loop.time()
        while more:
            body.is_incomplete = True
            timeout = min(self.settings.read_timeout_seconds, self._latest(started, body.size) - loop.time())
            try:
                if arrival.is_whole:
                    message = await receive()
                else:
                    async with asyncio.timeout(timeout) as body.timeout:
                        message = await receive()
            except TimeoutError:
                raise self._too_slow(body) from None
            if message["type"] == "http.disconnect":
                raise ClientLeftError
            if arrival.is_broken:
                raise BadRequest("The body is not framed as HTTP/1.1 requires.")
            piece, more = message["body"], message["more_body"]
            body.is_incomplete = more
            body.content.write(piece)
            body.size += len(piece)
            self._held_bytes += len(piece)
            if body.size > limit or arrival.received_bytes > limit + MAX_FRAMING_BYTES:
                raise RequestEntityTooLarge
            self._make_room()
            if more and body.is_evicted:
                raise self._too_slow(body)

    def _let_go(self, body: Body) -> None:
        """Release the body of a request that is refused or answered."""
        self._bodies.discard(body)
        self._held_bytes -= body.size
        body.size, body.content = 0, io.BytesIO()

    def _latest(self, started: float, size: int) -> float:
        """Return the time by which more bytes of a body must arrive, or its client counts as too slow."""
        return started + self.settings.read_timeout_seconds + size / LEAST_BYTES_PER_SECOND

    def _too_slow(self, body: Body) -> Exception:
        if body.is_evicted:
            return OverloadedError(NO_ROOM)
        return RequestTimeout("The request took too long to arrive. Send it again over a faster connection.")

    def _make_room(self) -> None:
        """Refuse the largest body that is still arriving, if all bodies together take too much memory."""
        if self._held_bytes <= HELD_BODIES * self.settings.max_upload_bytes:
            return
        arriving = [body for body in self._bodies if body.is_incomplete and body.size]
        if not arriving:
            raise OverloadedError(NO_ROOM)
        largest = max(arriving, key=lambda body: body.size)
        largest.is_evicted = True
        self._held_bytes -= largest.size
        largest.size = 0
        with contextlib.suppress(RuntimeError):  # its task is about to continue anyway
            largest.timeout.reschedule(0)

    async def _live(self, receive: Any, send: Any) -> None:
        """Answer the server's lifespan events, at the start and at the end."""
        await receive()
        self._on_start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._on_end()
        await send({"type": "lifespan.shutdown.complete"})


async def _drain(receive: Any, arrival: Arrival) -> None:
    """Discard what arrives for a while: closing while the client sends would lose the answer."""
    arrival.is_draining = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAINING_SECONDS):
            while not (arrival.has_ended or arrival.is_broken):
                message = await receive()
                if message["type"] == "http.disconnect" or not message["more_body"]:
                    return
