"""The server as it runs in a worker, before an application that says what it was asked.

client (bytes, in pieces) --> loopback --> Protocol (uvicorn, llhttp) --> Bridge --> echo

One event loop runs client and server, so that a piece is sent when the server has read the one before: the
pieces arrive as they were cut, on a machine of any speed. It has a thread of its own, because the browser's
tests leave a running loop in the main one.
"""

import asyncio
import concurrent.futures
import contextlib
import itertools
import json
import socket
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import uvloop
from uvicorn.config import Config
from uvicorn.server import ServerState
from werkzeug.exceptions import HTTPException

from service.api.admission import REFUSAL
from service.asgi import Bridge
from service.config import Settings
from service.server.protocol import Protocol
from tests.http.corpus.answers import Answer, split
from tests.http.corpus.oracle import Reading

Result = TypeVar("Result")
GRACE_SECONDS = 0.003
DEADLINE_SECONDS = 2.0
TURNS = 50  # of the event loop, before it is given time


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with what the request is; refuse it where the bridge says so."""
    error = environ.get(REFUSAL)
    if error:
        status = error.code if isinstance(error, HTTPException) else 500
        start_response(f"{status} refused", [("Content-Length", "0")])
        return [b""]
    description = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "headers": {
            name: value
            for name, value in environ.items()
            # An offer to upgrade may be kept or dropped: it is not taken up.
            if name.startswith(("HTTP_", "CONTENT_")) and name != "HTTP_UPGRADE"
        },
        "body": environ["wsgi.input"].read().decode("latin-1"),
    }
    body = json.dumps(description).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class Watched(Protocol):
    """The protocol class, which also counts what it has read."""

    received = 0
    lost = False

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        super().connection_lost(exc)


class EchoServer:
    """A listening socket, served while `converse` runs."""

    def __init__(self) -> None:
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._loop = uvloop.new_event_loop()
        self._config = Config(
            Bridge(echo, Settings()),
            http=Watched,
            ws="none",
            interface="asgi3",
            lifespan="off",
            proxy_headers=False,
            log_config=None,
        )
        self._config.load()
        self._state = ServerState()
        self._accepted: list[Watched] = []
        self._server = self._run(self._listen())
        self._address = self._server.sockets[0].getsockname()

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self._thread.submit(self._loop.run_until_complete, coroutine).result()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", 0)

    def _accept(self) -> Watched:
        protocol = Watched(config=self._config, server_state=self._state, app_state={})
        self._accepted.append(protocol)
        return protocol

    def close(self) -> None:
        """Stop listening."""
        self._server.close()
        self._run(self._server.wait_closed())
        self._loop.close()
        self._thread.shutdown()

    def converse(self, pieces: list[bytes], reading: Reading) -> tuple[list[Answer], bool]:
        """Send pieces one by one; return the answers, and whether the server closed the connection.

        reading: what llhttp reads in them, to know how many answers to wait for.
        """
        return self._run(self._converse(pieces, reading))

    async def _converse(self, pieces: list[bytes], reading: Reading) -> tuple[list[Answer], bool]:
        self._accepted.clear()
        client = socket.socket()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = bytearray()
        methods = [request.method for request in reading.requests]
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, self._address)
        await self._until(lambda: self._accepted)
        server = self._accepted[0]
        reader = loop.create_task(self._read(client, received))
        with client:
            sent = 0
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    await loop.sock_sendall(client, piece)
                    sent += len(piece)
                    if not await self._until(lambda sent=sent: server.received >= sent or reader.done()):
                        break
            expected = len(reading.complete) + reading.refused
            await self._until(lambda: reader.done() or len(split(received, methods)) >= expected)
            for _ in range(TURNS):  # for the end of the connection, or an answer too many
                await asyncio.sleep(0)
            if not reader.done():
                await asyncio.sleep(GRACE_SECONDS)
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_WR)
            closed = await self._until(reader.done)
            reader.cancel()
        await self._until(lambda: server.lost)
        return split(received, methods), closed

    async def _read(self, client: socket.socket, received: bytearray) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await asyncio.get_running_loop().sock_recv(client, 65536):
                received += piece

    async def _until(self, condition: Any) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DEADLINE_SECONDS
        for turn in itertools.count():
            if condition():
                return True
            if loop.time() > deadline:
                return False
            await asyncio.sleep(0 if turn < TURNS else GRACE_SECONDS)
