"""The loop of a worker: a gunicorn `gthread` worker in which no client can make anyone wait.

    accept -> receive until the request is complete -> start: whoever inherits from this answers it
           -> leave: send -> the next request, or the end

Gunicorn's own loop hands a connection to a thread as soon as its first byte is there, and the
thread then waits for the rest; as many slow clients as there are threads stop the worker. Here the
loop keeps slow clients, at the price of a socket each, and passes on whole requests only.
"""

import errno
import functools
import socket
import time
from collections.abc import Iterator
from selectors import EVENT_READ as READ
from selectors import EVENT_WRITE as WRITE
from typing import Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from service.config import Settings
from service.connection import Connection
from service.refusals import TOO_SLOW
from service.server.balance import Balance

SWEEP_SECONDS = 0.25
LINGER_SECONDS = 2.0
ACCEPTED_AT_ONCE = 8  # more would leave less time to answer those who are in
YIELD_SECONDS = 0.001
# A client that is told 413 while it sends has to be read on, or it sees a reset and not the answer.
LINGER_BYTES = 128 * 1024 * 1024
IDLE, SENDING, LINGERING = "idle", "sending", "lingering"


class LoopWorker(ThreadWorker):
    """Receives requests and sends answers; a connection is in one state at a time.

    resting: the connections that the loop waits for, oldest first, with their states; the others have a
    request that is being answered or waits for it. watched: those whose sockets the poller watches; what
    happens there while a request is answered waits.
    """

    settings: Settings

    def init_process(self) -> None:
        """Set up what belongs to this process; gunicorn calls it after the fork, and it never returns."""
        self.resting: dict[TConn, str] = {}
        self.watched: dict[TConn, int] = {}
        self.next_step = {IDLE: self.on_readable, SENDING: self.on_writable, LINGERING: self.on_lingering}
        self.swept = 0.0
        self.balance = Balance(self.slot, self.cfg.workers)
        self.balance.tell(0)
        super().init_process()

    # --- what is done with requests ---

    def start(self, conn: TConn) -> None:
        """Have the request of a connection answered; `leave` goes on then."""
        raise NotImplementedError

    def refuse(self, conn: TConn, problem: dict[str, Any]) -> None:
        """Answer a connection that nobody has just now with a problem, and close it."""
        raise NotImplementedError

    def keep_within_memory(self) -> None:
        """Refuse what is too much; called whenever an unfinished request has grown."""
        raise NotImplementedError

    # --- a connection's way ---

    def accept(self, listener: socket.socket) -> None:
        """Accept those who wait at the door, until it is another worker's turn."""
        if self.alive and self.balance.is_ahead():
            time.sleep(YIELD_SECONDS)  # let the less busy one be first
        for _ in range(ACCEPTED_AT_ONCE):
            if not self.accept_one(listener) or self.balance.is_ahead():
                break

    def accept_one(self, listener: socket.socket) -> bool:
        """Accept one connection; return whether there was one."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self.drop_oldest()
            return False
        if self.nr_conns >= self.worker_connections - 1:
            self.drop_oldest()
        self.nr_conns += 1
        self.balance.tell(self.nr_conns)
        connection = Connection(client, self.settings.max_upload_bytes, self.settings.read_timeout_seconds)
        conn = TConn(self.cfg, connection, address, listener.getsockname())
        conn.data_ready = True
        self.rest(conn, IDLE)
        self.on_readable(conn)  # the request usually comes with the connection
        return True

    def rest(self, conn: TConn, state: str) -> None:
        """Have the loop wait for bytes of the client, or until it takes ours."""
        self.resting[conn] = state
        event = WRITE if state == SENDING else READ
        watched = self.watched.get(conn)
        if watched is None:
            self.poller.register(conn.sock, event, functools.partial(self.on_event, conn))
        elif watched != event:
            self.poller.modify(conn.sock, event, functools.partial(self.on_event, conn))
        self.watched[conn] = event

    def on_event(self, conn: TConn, _: Any) -> None:
        """Take the next step of a connection that the loop waits for."""
        state = self.resting.get(conn)
        if state:  # or else it is being answered, or what came before it in this round has dropped it
            self.next_step[state](conn)

    def unwatch(self, conn: TConn) -> None:
        """Have the poller forget a connection."""
        if self.watched.pop(conn, None):
            self.poller.unregister(conn.sock)

    def drop(self, conn: TConn) -> None:
        """Close a connection that the loop has, as it is."""
        if self.resting.pop(conn) == SENDING:
            conn.sock.abort()
        self.close(conn)

    def close(self, conn: TConn) -> None:
        """Close a connection that nobody has just now."""
        self.unwatch(conn)
        self.nr_conns -= 1
        self.balance.tell(self.nr_conns)
        conn.close()

    def drop_oldest(self) -> None:
        """Make room: the client that has been waited for the longest goes."""
        if self.resting:
            self.drop(next(iter(self.resting)))

    def on_readable(self, conn: TConn) -> None:
        """Receive what is there; begin to answer when the request is complete."""
        connection: Connection = conn.sock
        begins = not connection.received
        count = connection.receive()
        if count is None:
            return
        if count == 0:
            self.drop(conn)
            return
        if begins:
            connection.begin(self.settings.read_timeout_seconds)
        self.advance(conn)

    def advance(self, conn: TConn) -> None:
        """Go on with a connection that has received something."""
        connection: Connection = conn.sock
        if connection.is_complete():
            del self.resting[conn]
            self.start(conn)
        else:
            connection.ask_to_continue()
            self.keep_within_memory()

    def leave(self, conn: TConn, keep: bool) -> None:
        """Go on when an answer is written: send what is left of it, then take the next request or part."""
        connection: Connection = conn.sock
        if not connection.flush():
            self.close(conn)
        elif connection.unsent:
            connection.begin(self.settings.read_timeout_seconds)
            connection.keep = keep
            self.rest(conn, SENDING)
        elif keep:
            self.await_next(conn)
        else:
            self.linger(conn)

    def on_writable(self, conn: TConn) -> None:
        """Send more of an answer that the client did not take at once."""
        if conn.sock.flush() and conn.sock.unsent:
            return
        del self.resting[conn]
        self.leave(conn, conn.sock.keep)

    def await_next(self, conn: TConn) -> None:
        """Wait for the next request on a connection; it may be there already."""
        connection: Connection = conn.sock
        connection.expect_another()
        # At the end too: an answer may be out just before it and noticed just after.
        rest_seconds = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
        connection.begin(self.settings.read_timeout_seconds if connection.received else rest_seconds)
        self.rest(conn, IDLE)
        if connection.received:
            self.advance(conn)

    def linger(self, conn: TConn) -> None:
        """Say that nothing more comes, and wait for the client to close.

        Closed at once, a socket with unread bytes is reset, and the answer lost with it.
        """
        conn.sock.half_close()
        conn.sock.received.clear()
        conn.sock.begin(LINGER_SECONDS)
        self.rest(conn, LINGERING)

    def on_lingering(self, conn: TConn) -> None:
        """Read on without keeping anything, until the client closes too."""
        count = conn.sock.receive()
        conn.sock.received.clear()
        if count == 0 or conn.sock.moved > LINGER_BYTES:
            self.drop(conn)

    # --- who is too slow ---

    def overdue(self) -> Iterator[TConn]:
        """Yield the connections that the loop has waited for too long."""
        now = time.monotonic()
        if now - self.swept >= SWEEP_SECONDS:
            self.swept = now
            yield from [conn for conn in self.resting if conn.sock.is_overdue(now)]

    def murder_pending(self) -> None:
        """Part with clients that are too slow; gunicorn's loop calls this at least once a second."""
        for conn in self.overdue():
            if self.resting[conn] == IDLE and conn.sock.received:
                del self.resting[conn]
                self.refuse(conn, TOO_SLOW)
            else:
                self.drop(conn)

    # --- stopping; gunicorn's loop calls these ---

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept or not; a worker that stops takes the connections that wait for it, then closes the door.

        Left open until the last answer, the door would collect connections that nobody will accept.
        """
        stops = not enabled and not self.alive and self._accepting
        if stops:
            self.drain()
        super().set_accept_enabled(enabled)
        if stops:
            for listener in self.sockets:
                while self.accept_one(listener):
                    pass
                listener.close()

    def drain(self) -> None:
        """Go on as before for a while, but for readiness: proxies need a moment to hear of the end."""
        stop = time.monotonic() + self.settings.drain_seconds
        while time.monotonic() < stop:
            self.notify()
            self.wait_for_and_dispatch_events(timeout=0.1)
            self.murder_pending()

    def _cap_keepalive(self, deadline: float) -> None:
        """Close connections on which no request has begun by `deadline`."""
        for conn, state in self.resting.items():
            if state == IDLE and not conn.sock.received:
                conn.sock.begin(max(0.0, deadline - time.monotonic()))

    def murder_keepalived(self, force: bool = False) -> None:
        """Close everything that the loop still has, at the very end."""
        if force:
            for conn in list(self.resting):
                self.drop(conn)
