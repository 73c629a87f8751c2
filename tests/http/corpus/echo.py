"""The production protocol class under uvicorn, before an application that says what it was asked.

client (bytes, in pieces) --> loopback --> Protocol (uvicorn, llhttp) --> echo or early

One event loop runs client and server, so that a piece is sent when the server has read the one before: the
pieces arrive as they were cut, on a machine of any speed.
"""

import asyncio
import contextlib
import json
import socket
from typing import Any

import uvloop
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
from uvicorn.server import ServerState

from tests.http.corpus.answers import Answer, split
from tests.http.corpus.oracle import Reading

GRACE_SECONDS = 0.003
DEADLINE_SECONDS = 2.0


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with what the request is, once its body is there."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    description = {
        "method": scope["method"],
        "path": scope["raw_path"].decode("latin-1"),
        "query": scope["query_string"].decode("latin-1"),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": body.decode("latin-1"),
    }
    await answer(send, 200, json.dumps(description).encode())


async def early(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer at once, without reading the body, as a route does that does not exist."""
    await answer(send, 200, b"{}")


async def answer(send: Any, status: int, body: bytes) -> None:
    """Send an answer with a length."""
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


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

    def __init__(self, application: Any) -> None:
        self._loop = uvloop.new_event_loop()
        self._config = Config(application, http=Watched, ws="none", lifespan="off", log_config=None)
        self._config.load()
        self._state = ServerState()
        self._accepted: list[Watched] = []
        self._server = self._loop.run_until_complete(self._listen())
        self._address = self._server.sockets[0].getsockname()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", 0)

    def _accept(self) -> Watched:
        protocol = Watched(config=self._config, server_state=self._state, app_state={})
        self._accepted.append(protocol)
        return protocol

    def close(self) -> None:
        """Stop listening."""
        self._server.close()
        self._loop.run_until_complete(self._server.wait_closed())
        self._loop.close()

    def converse(self, pieces: list[bytes], reading: Reading) -> tuple[list[Answer], bool]:
        """Send pieces one by one; return the answers, and whether the server closed the connection.

        reading: what llhttp reads in them, to know how many answers to wait for.
        """
        return self._loop.run_until_complete(self._converse(pieces, reading))

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
            answers = split(received, methods)
            if not (answers and answers[-1].closes) and not reader.done():
                await asyncio.sleep(GRACE_SECONDS)  # for an answer too many
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
        while not condition():
            if loop.time() > deadline:
                return False
            await asyncio.sleep(0)
        return True
