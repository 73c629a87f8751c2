"""The worker process: a gunicorn `gthread` worker in which no client can make a thread wait.

    accept -> receive until the request is complete -> thread: parse, answer -> send -> next request
              (one loop, never waits)                  (a few threads)         (the loop again)

Gunicorn's own loop hands a connection to a thread as soon as its first byte is there, and the
thread then waits for the rest; as many slow clients as there are threads stop the worker. Here the
loop keeps slow clients, at the price of a socket each, and threads see whole requests only. That
also tells how much work is waiting: what exceeds it is refused at once. The threads are few, because
none of them ever waits for a client and all of them compete with the loop for the interpreter.
"""

import errno
import functools
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from selectors import EVENT_READ as READ
from selectors import EVENT_WRITE as WRITE
from typing import Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from service.balance import Balance
from service.connection import Connection
from service.refusals import OVERLOADED, TOO_SLOW, Refusals, path_of, problem_for

# What tells whether the service is well has to be answered when it is not.
PROBES = (b"GET /livez", b"GET /readyz", b"GET /metrics", b"GET /v2/health/")
SWEEP_SECONDS = 0.25
LINGER_SECONDS = 2.0
YIELD_SECONDS = 0.001
# A client that is told 413 while it sends has to be read on, or it sees a reset and not the answer.
LINGER_BYTES = 128 * 1024 * 1024
HELD_UPLOADS = 4  # requests of the largest size that a worker holds in memory; of small ones, many more
IDLE, SENDING, LINGERING = "idle", "sending", "lingering"


class PatientWorker(ThreadWorker):
    """Receives requests, hands them to threads, sends the answers; a connection is in one state at a time.

    resting: the connections that the loop waits for, oldest first, with their states; the others are
    with a thread, and of these `running` has the sizes of their requests, probes left out.
    """

    def init_process(self) -> None:
        """Set up what belongs to this process; gunicorn calls it after the fork, and it never returns."""
        from service.wsgi import metrics, settings

        self.settings = settings
        self.refusals = Refusals(metrics)
        self.waiting = metrics.requests_waiting
        self.resting: dict[TConn, str] = {}
        self.running: dict[TConn, int] = {}
        self.counted_waiting = 0
        self.swept = 0.0
        self.balance = Balance(self.slot, self.cfg.workers)
        self.balance.tell(0)
        self.probe_pool = ThreadPoolExecutor(1)
        super().init_process()

    # --- a connection's way ---

    def accept(self, listener: socket.socket) -> bool:
        """Accept one connection; return whether there was one."""
        if self.alive and self.balance.is_ahead():
            time.sleep(YIELD_SECONDS)  # another worker is less busy: let it be first
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
        self.rest(conn, IDLE, self.on_readable)
        self.on_readable(conn)  # the request usually comes with the connection
        return True

    def rest(self, conn: TConn, state: str, callback: Callable[..., None], event: int = READ) -> None:
        """Have the loop wait for bytes of the client, or until it takes ours."""
        self.resting[conn] = state
        self.poller.register(conn.sock, event, functools.partial(callback, conn))

    def wake(self, conn: TConn) -> None:
        """Take a connection out of the loop."""
        del self.resting[conn]
        self.poller.unregister(conn.sock)

    def drop(self, conn: TConn) -> None:
        """Close a connection that the loop has, as it is."""
        if self.resting[conn] == SENDING:
            conn.sock.abort()
        self.wake(conn)
        self.close(conn)

    def close(self, conn: TConn) -> None:
        """Close a connection that nobody has just now."""
        self.nr_conns -= 1
        self.balance.tell(self.nr_conns)
        conn.close()

    def drop_oldest(self) -> None:
        """Make room: the client that has been waited for the longest goes."""
        if self.resting:
            self.drop(next(iter(self.resting)))

    def on_readable(self, conn: TConn, _: Any = None) -> None:
        """Receive what is there; begin to answer when the request is complete."""
        if self.resting.get(conn) != IDLE:
            return  # dropped or refused by what came before it in the same round of events
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
            self.wake(conn)
            self.start(conn)
        else:
            connection.ask_to_continue()
            self.keep_within_memory()

    def start(self, conn: TConn) -> None:
        """Hand a request to a thread, or refuse it where too many are being answered."""
        is_probe = conn.sock.received.startswith(PROBES)
        if is_probe:
            conn.sock.take_request()
            future = self.probe_pool.submit(self.handle, conn)
        elif len(self.running) < self.settings.max_in_flight and self.has_memory():
            conn.sock.take_request()
            self.running[conn] = conn.sock.framing.end
            self.count_waiting()
            future = self.tpool.submit(self.handle, conn)
        else:
            self.refuse(conn, OVERLOADED)
            return
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def count_waiting(self) -> None:
        """Tell Prometheus how many requests there are beyond those that the threads answer."""
        waiting = max(0, len(self.running) - self.cfg.threads)
        if waiting != self.counted_waiting:
            self.counted_waiting = waiting
            self.waiting.set(waiting)

    def handle(self, conn: TConn) -> bool:
        """Answer a request, in a thread; return whether the connection can take another."""
        keep = bool(super().handle(conn))
        conn.sock.flush()  # from here rather than from the loop: the client waits
        return keep

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """Call the application; a body whose end is unknown ends the connection."""
        if conn.sock.too_large or conn.sock.framing.broken:
            req.force_close()
        return bool(super().handle_request(req, conn))

    def finish_request(self, conn: TConn, future: Future) -> None:
        """Take a connection back from a thread."""
        if self.running.pop(conn, None) is not None:
            self.count_waiting()
        keep = not future.cancelled() and future.exception() is None and future.result()
        self.leave(conn, keep)

    def leave(self, conn: TConn, keep: bool) -> None:
        """Go on when an answer is written: send what is left of it, then take the next request or part."""
        connection: Connection = conn.sock
        if not connection.flush():
            self.close(conn)
        elif connection.unsent:
            connection.begin(self.settings.read_timeout_seconds)
            self.rest(conn, SENDING, functools.partial(self.on_writable, keep=keep), WRITE)
        elif keep:
            self.await_next(conn)
        else:
            self.linger(conn)

    def on_writable(self, conn: TConn, _: Any = None, keep: bool = False) -> None:
        """Send more of an answer that the client did not take at once."""
        if self.resting.get(conn) != SENDING or (conn.sock.flush() and conn.sock.unsent):
            return
        self.wake(conn)
        self.leave(conn, keep)

    def await_next(self, conn: TConn) -> None:
        """Wait for the next request on a connection; it may be there already."""
        connection: Connection = conn.sock
        connection.expect_another()
        # At the end too: an answer may be out just before it and noticed just after.
        rest_seconds = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
        connection.begin(self.settings.read_timeout_seconds if connection.received else rest_seconds)
        self.rest(conn, IDLE, self.on_readable)
        if connection.received:
            self.advance(conn)

    def linger(self, conn: TConn) -> None:
        """Say that nothing more comes, and wait for the client to close.

        Closed at once, a socket with unread bytes is reset, and the answer lost with it.
        """
        conn.sock.half_close()
        conn.sock.received.clear()
        conn.sock.begin(LINGER_SECONDS)
        self.rest(conn, LINGERING, self.on_lingering)

    def on_lingering(self, conn: TConn, _: Any = None) -> None:
        """Read on without keeping anything, until the client closes too."""
        if self.resting.get(conn) != LINGERING:
            return
        count = conn.sock.receive()
        conn.sock.received.clear()
        if count == 0 or conn.sock.moved > LINGER_BYTES:
            self.drop(conn)

    # --- what is refused ---

    def refuse(self, conn: TConn, problem: dict[str, Any]) -> None:
        """Answer a connection that nobody has just now without the application, and close it."""
        connection: Connection = conn.sock
        seconds = time.monotonic() - connection.since
        connection.unsent += self.refusals.answer(problem, path_of(connection.received), seconds)
        self.leave(conn, keep=False)

    def handle_error(self, req: Any, client: Connection, addr: Any, exc: BaseException) -> None:
        """Answer what gunicorn could not read or the application not answer, in a thread."""
        problem = problem_for(exc)
        if problem["status"] >= 500:
            self.log.error("answering failed", exc_info=exc)
        seconds = time.monotonic() - client.since
        client.unsent += self.refusals.answer(problem, getattr(req, "path", None) or "", seconds)

    def has_memory(self) -> bool:
        """Tell whether the bytes of all requests here, finished or not, are few enough for another."""
        unfinished = sum(len(conn.sock.received) for conn in self.resting)
        return unfinished + sum(self.running.values()) <= HELD_UPLOADS * self.settings.max_upload_bytes

    def keep_within_memory(self) -> None:
        """Refuse the largest unfinished request while there is too much of them."""
        if not self.has_memory():
            largest = max(self.resting, key=lambda conn: len(conn.sock.received))
            self.wake(largest)
            self.refuse(largest, OVERLOADED)

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
                self.wake(conn)
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
                while self.accept(listener):
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
