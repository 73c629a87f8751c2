"""One client's connection, as the worker's loop and whoever answers see it.

    loop:   socket -> Connection.receive -> received -> take_request -> request
    answer: request -> recv -> gunicorn's parser -> (body) -> application -> sendall -> unsent
    loop:   unsent -> Connection.flush -> socket

Only the loop touches the socket, and never waits for it; a thread that answers has the whole
request in memory and leaves its answer there.
"""

import contextlib
import socket
import struct
import time

from gunicorn.http.errors import LimitRequestHeaders

from service.framing import Framing

RECEIVE_BYTES = 256 * 1024
# Slower than any connection that a person would wait for; it ends those that drip.
MINIMUM_BYTES_A_SECOND = 4096


class Connection:
    """Stands in for the socket wherever gunicorn reads or writes one.

    received: bytes of requests that are not answered yet. body: that of the request that is, where its
    length was known. unsent: what the client has yet to take; keep:
    whether there can be another request after that.
    """

    def __init__(self, client: socket.socket, max_body_bytes: int, patience_seconds: float) -> None:
        client.setblocking(False)
        # The answer goes out in one piece; nothing is gained from waiting for more of it.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._max_body_bytes = max_body_bytes
        self._request = bytearray()
        self.body: bytes | None = None
        self.received = bytearray()
        self.unsent = bytearray()
        self.framing = Framing(max_body_bytes)
        self.was_asked_to_continue = False
        self.keep = False
        self.begin(patience_seconds)

    def begin(self, patience_seconds: float) -> None:
        """Start the clock of what comes next: a request, an answer, the end."""
        self.since = self.heard = time.monotonic()
        self.moved = 0
        self.patience_seconds = patience_seconds

    def is_overdue(self, now: float) -> bool:
        """Tell whether the client was silent, or slow on the whole, for longer than it may be."""
        slowest = self.patience_seconds + self.moved / MINIMUM_BYTES_A_SECOND
        return now - self.heard > self.patience_seconds or now - self.since > slowest

    def receive(self) -> int | None:
        """Add what has arrived to `received`; return how much, 0 at the end, None for nothing yet."""
        try:
            piece = self._client.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return 0
        self._note(len(piece))
        self.received += piece
        return len(piece)

    def flush(self) -> bool:
        """Send of `unsent` what the client takes now; return whether it is still there."""
        try:
            while self.unsent:
                sent = self._client.send(self.unsent)
                self._note(sent)
                del self.unsent[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            return False
        return True

    def _note(self, count: int) -> None:
        self.heard = time.monotonic()
        self.moved += count

    @property
    def too_large(self) -> bool:
        """Whether the body of the request is larger than allowed; it is not all there then."""
        return self.framing.too_large

    def is_complete(self) -> bool:
        """Tell whether a request can be handed over."""
        return self.framing.look(self.received)

    def ask_to_continue(self) -> None:
        """Send the word that a client waits for before it sends its body, once."""
        if self.framing.expects_continue and not self.was_asked_to_continue:
            self.was_asked_to_continue = True
            self.unsent += b"HTTP/1.1 100 Continue\r\n\r\n"
            self.flush()

    def take_request(self) -> None:
        """Move the request from `received` to where the parser reads it.

        A body of known length goes past the parser, which would copy it twice, in small pieces.
        """
        framing = self.framing
        parsed = framing.head_end if framing.has_length else framing.end
        self._request = self.received[:parsed]
        self.body = bytes(memoryview(self.received)[parsed : framing.end]) if framing.has_length else None
        if framing.end == len(self.received):  # as ever, but for clients that send ahead
            self.received = bytearray()
        else:
            del self.received[: framing.end]

    def expect_another(self) -> None:
        """Forget the request that was answered."""
        self.framing = Framing(self._max_body_bytes)
        self.was_asked_to_continue = False

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes of the request, for gunicorn's parser; b"" when it has had all."""
        if not self._request and not self.framing.head_end:
            raise LimitRequestHeaders("the headers are too large or never end")
        piece = bytes(self._request[:size])
        del self._request[:size]
        return piece

    def sendall(self, data: bytes) -> None:
        """Take a part of the answer."""
        self.unsent += data

    def send(self, data: bytes) -> None:
        """Drop gunicorn's own "100 Continue", which comes when the body is long there."""

    def half_close(self) -> None:
        """Tell the client that nothing more will come."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Have `close` reset the connection, or the kernel keeps what the client does not read."""
        with contextlib.suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        """Close the socket."""
        self._client.close()

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._client.fileno()

    # What gunicorn sets on a socket that it waits for; here nobody waits.
    def setblocking(self, flag: bool) -> None:
        """Do nothing."""

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing."""

    def gettimeout(self) -> float:
        """Return 0: the socket never blocks."""
        return 0.0
