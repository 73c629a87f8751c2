"""One connection: uvicorn's HTTP/1.1 protocol (llhttp), with the deadlines and limits that it lacks.

bytes -> head too long or too slow? -> llhttp -> uvicorn's request cycle -> Bridge
end of the client's bytes -> a request that is complete is still answered
"""

import time
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from werkzeug.exceptions import BadRequest, HTTPException, RequestTimeout

from service.asgi import EXTENSION, Arrival, Bridge
from service.heads import MAX_HEAD_BYTES, RequestHeaderFieldsTooLarge, RequestURITooLarge
from service.server.balance import Balance

MOMENT_SECONDS = 1.0  # for data in transit when the process stops or a request is refused


class Parser:
    """llhttp without upgrades: a client that offers another protocol besides HTTP/1.1 gets HTTP/1.1."""

    def __init__(self, protocol: "Protocol") -> None:
        self._protocol, self._parser = protocol, httptools.HttpRequestParser(protocol)

    def __getattr__(self, name: str) -> object:
        return getattr(self._parser, name)

    def feed_data(self, data: bytes) -> None:
        """Parse more bytes. llhttp stops at an offer to upgrade; parse that head again without the offer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            method, version = self._parser.get_method(), self._parser.get_http_version().encode()
            if method == b"CONNECT":
                raise httptools.HttpParserError("there are no tunnels here") from upgrade
            lines = [b"%s %s HTTP/%s" % (method, self._protocol.url, version)]
            lines += [b"%s: %s" % header for header in self._protocol.headers if header[0] != b"upgrade"]
            self._parser = httptools.HttpRequestParser(self._protocol)
            self.feed_data(b"\r\n".join(lines) + b"\r\n\r\n" + data[upgrade.args[0] :])


class Protocol(HttpToolsProtocol):
    """A connection.

    arrival: the newest request. head_bytes: how much of an incomplete head has arrived. since: when that
    head, or the wait for it, began. failure: sent once the requests before it are answered. ignores_input:
    nothing more is read.
    """

    app: Bridge
    parser: Any
    scope: Any
    connections: set[Any]
    balance, max_connections = Balance(), 1000
    is_in_head, ignores_input, is_ending, head_bytes, unsent_bytes = True, False, False, 0, 0
    failure: HTTPException | None = None

    def connection_made(self, transport: Any) -> None:
        """Accept a connection; above the limit, close the one that has waited longest for its client."""
        super().connection_made(transport)
        self.parser, self.arrival = Parser(self), Arrival()
        self.since = self.progress = self.loop.time()
        self.balance.count(len(self.connections))
        self.check_progress()
        if len(self.connections) > self.max_connections:
            waiting = [each for each in self.connections if each.is_idle() or each.cycle.more_body]
            min(waiting, key=lambda each: each.since, default=self).transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.timer.cancel()
        super().connection_lost(exc)
        self.balance.count(len(self.connections))

    def is_idle(self) -> bool:
        """Return whether no request is being answered; part of the next head may have arrived."""
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, unless the head becomes too long."""
        if self.ignores_input or self.arrival.is_draining:
            return
        self.head_bytes += len(data) if self.is_in_head else 0
        self.arrival.received_bytes += len(data)
        super().data_received(data)
        if self.head_bytes > MAX_HEAD_BYTES:
            self.fail(RequestHeaderFieldsTooLarge() if self.headers else RequestURITooLarge())

    def on_message_begin(self) -> None:
        """Record the beginning of a head."""
        super().on_message_begin()
        self.since, self.arrival = self.loop.time(), Arrival()
        self.scope["extensions"] = {EXTENSION: self.arrival}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Record a header; ignore trailers."""
        if self.is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start answering the request."""
        if self.parser.should_upgrade():
            return  # the parser reads the head again, without the offer
        self.is_in_head, self.head_bytes = False, 0
        self.arrival.received = time.perf_counter()
        super().on_headers_complete()
        if self.is_ending or self.balance.should_close():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Expect the next head."""
        if not self.parser.should_upgrade():
            super().on_message_complete()
            self.is_in_head = self.arrival.is_whole = True

    def on_response_complete(self) -> None:
        """Continue with the next request, or with the error after the last one."""
        self.since = self.loop.time()
        super().on_response_complete()
        if self.failure and self.cycle.response_complete and not self.transport.is_closing():
            self.refuse(self.failure)

    def send_400_response(self, msg: str) -> None:
        """Send 400 for a request that llhttp cannot parse."""
        self.fail(BadRequest("This is not a valid HTTP/1.1 request."))

    def fail(self, error: HTTPException) -> None:
        """Stop reading; answer with `error` after the requests before it."""
        self.ignores_input, self.head_bytes = True, 0
        if self.is_idle():
            self.refuse(error)
        elif self.cycle.more_body:  # the application is waiting for the body and sends the error itself
            self.arrival.is_broken = True
            self.cycle.message_event.set()
        else:
            self.failure = error

    def refuse(self, error: HTTPException) -> None:
        """Answer bytes that are not a valid request, and close."""
        self.ignores_input, self.failure = True, None
        self.transport.write(self.app.refuse(error, self.server_state.default_headers))
        self.transport.write_eof()
        self.loop.call_later(MOMENT_SECONDS, self.transport.close)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Return whether to keep the connection: the client sends nothing more, but may read an answer."""
        if self.is_idle() or (self.cycle.more_body and not self.arrival.is_draining):
            return False
        self.arrival.has_ended, self.cycle.keep_alive = True, False
        self.cycle.message_event.set()
        return True

    def check_progress(self) -> None:
        """Close the connection if its client sends a head or reads too slowly; else check again later."""
        now, timeout = self.loop.time(), self.app.settings.read_timeout_seconds
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes != self.unsent_bytes or not unsent_bytes:
            self.unsent_bytes, self.progress = unsent_bytes, now
        if now - self.progress > timeout:
            self.transport.abort()
        elif self.is_idle() and not self.ignores_input and now - self.since > timeout:
            if self.head_bytes:
                self.refuse(RequestTimeout("The request took too long to arrive. Send it again."))
            elif not self.cycle:
                self.transport.close()
        self.timer = self.loop.call_later(timeout / 4, self.check_progress)

    def shutdown(self) -> None:
        """Close soon: an idle connection after a moment, a busy one after its answer."""
        self.is_ending = True
        self.loop.call_later(MOMENT_SECONDS if self.is_idle() else 0, super().shutdown)
