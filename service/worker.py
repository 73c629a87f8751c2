"""The worker process: a gunicorn `gthread` worker in which no client can make a thread wait.

    accept -> receive until the request is complete -> small: the loop itself parses and answers
                                                    -> large: a thread does
           -> send -> next request

Gunicorn's own loop hands a connection to a thread as soon as its first byte is there, and the
thread then waits for the rest; as many slow clients as there are threads stop the worker. Here the
loop keeps slow clients, at the price of a socket each, and answers whole requests only. That also tells
how much work is waiting: what exceeds it is refused at once.

A picture of the usual size takes less time than to hand it to a thread and back, so the loop answers
it between two looks at its sockets. Should one take long all the same, a deputy runs the loop meanwhile.
The threads are few, because none of them ever waits for a client and all of them compete with the
loop for the interpreter.
"""

import errno
import functools
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from selectors import EVENT_READ as READ
from selectors import EVENT_WRITE as WRITE
from typing import Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from service.answering import Answering
from service.balance import Balance
from service.connection import Connection
from service.deputy import Deputy
from service.refusals import OVERLOADED, TOO_SLOW, Refusals, path_of, problem_for

# What tells whether the service is well has to be answered when it is not.
PROBES = (b"GET /livez", b"GET /readyz", b"GET /metrics", b"GET /v2/health/")
SWEEP_SECONDS = 0.25
LINGER_SECONDS = 2.0
ACCEPTED_AT_ONCE = 8  # more would leave less time to answer those who are in
ANSWERED_AT_ONCE = 8
YIELD_SECONDS = 0.001
SMALL_BYTES = 64 * 1024  # of a request that the loop answers itself
ANSWERING_SECONDS = 0.005  # between two looks at the sockets
TURN_SECONDS = 0.02
# A client that is told 413 while it sends has to be read on, or it sees a reset and not the answer.
LINGER_BYTES = 128 * 1024 * 1024
HELD_UPLOADS = 4  # requests of the largest size that a worker holds in memory; of small ones, many more
IDLE, SENDING, LINGERING = "idle", "sending", "lingering"


class PatientWorker(ThreadWorker):
    """Receives requests, answers them or has threads do it; a connection is in one state at a time.

    resting: the connections that the loop waits for, oldest first, with their states; the others have a
    request that is being answered or waits for it, and of these `running` has the sizes of their
    requests, probes left out. small: those that the loop will answer, answering: that which it answers.
    watched: those whose sockets the poller watches; what happens there while a request is answered waits.
    """

    def init_process(self) -> None:
        """Set up what belongs to this process; gunicorn calls it after the fork, and it never returns."""
        from service.wsgi import metrics, settings

        # Gunicorn asks for some twenty settings a request, and each is looked up in two places.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        self.settings = settings
        self.refusals = Refusals(metrics)
        self.waiting = metrics.requests_waiting
        self.resting: dict[TConn, str] = {}
        self.running: dict[TConn, int] = {}
        self.small: deque[TConn] = deque()
        self.begun: deque[Answering] = deque()
        self.answering: TConn | None = None
        self.watched: dict[TConn, int] = {}
        self.next_step = {IDLE: self.on_readable, SENDING: self.on_writable, LINGERING: self.on_lingering}
        self.counted_waiting = 0
        self.swept = 0.0
        self.balance = Balance(self.slot, self.cfg.workers)
        self.balance.tell(0)
        self.probe_pool = ThreadPoolExecutor(1)
        self.deputy = Deputy(self.stand_in, wake=lambda: self.method_queue.defer(lambda: None))
        super().init_process()

    # --- the loop ---

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what has become possible, and answer small requests for as long as more of them arrive."""
        self.look(0 if self.small else timeout)
        stop = time.monotonic() + TURN_SECONDS
        while self.small and time.monotonic() < stop:
            self.answer_some()
            self.look(0)

    def look(self, timeout: float) -> None:
        """Do what has become possible at the sockets."""
        super().wait_for_and_dispatch_events(timeout)
        self.count_waiting()

    def answer_some(self) -> None:
        """Answer small requests for a moment, several at a time: the second runs through warm caches."""
        stop = time.monotonic() + ANSWERING_SECONDS
        while self.small and time.monotonic() < stop:
            while self.small and len(self.begun) < ANSWERED_AT_ONCE:
                conn = self.small.popleft()
                self.begun.append(self.lending(conn, self.begin, conn))
            while self.begun:
                answering = self.begun.popleft()
                keep = self.lending(answering.conn, self.complete, answering)
                self.finish(answering.conn, keep)

    def lending(self, conn: TConn, work: Callable[[Any], Any], argument: Any) -> Any:
        """Do a piece of work for a connection, while the deputy may run the loop."""
        self.answering = conn
        self.deputy.lend()
        try:
            return work(argument)
        finally:
            self.deputy.take_back()

    def stand_in(self) -> None:
        """Run one turn of the loop, in the deputy; threads get what the loop would have answered."""
        self.notify()
        if self.answering:
            self.unwatch(self.answering)  # it may have sent more, which would end each look at once
        self.look(TURN_SECONDS)
        while self.begun:
            answering = self.begun.popleft()
            self.hand_over(answering.conn, self.complete, answering)
        while self.small:
            conn = self.small.popleft()
            self.hand_over(conn, self.handle, conn)
        self.murder_pending()

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

    def start(self, conn: TConn) -> None:
        """Have a request answered, or refuse it where too many are."""
        if conn.sock.received.startswith(PROBES):
            conn.sock.take_request()
            self.hand_over(conn, self.handle, conn, self.probe_pool)
        elif len(self.running) < self.settings.max_in_flight and self.has_memory():
            size = self.running[conn] = conn.sock.framing.end
            conn.sock.take_request()
            if size <= SMALL_BYTES:
                self.small.append(conn)
            else:
                self.hand_over(conn, self.handle, conn)
        else:
            self.refuse(conn, OVERLOADED)

    def hand_over(
        self, conn: TConn, work: Callable[[Any], bool], argument: Any, pool: ThreadPoolExecutor | None = None
    ) -> None:
        """Have a thread answer a request, one of the usual threads where no other pool is named."""
        self.unwatch(conn)
        future = (pool or self.tpool).submit(work, argument)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def count_waiting(self) -> None:
        """Tell Prometheus how many requests there are that nobody answers yet."""
        in_threads = len(self.running) - len(self.small)
        waiting = len(self.small) + max(0, in_threads - self.cfg.threads)
        if waiting != self.counted_waiting:
            self.counted_waiting = waiting
            self.waiting.set(waiting)

    def begin(self, conn: TConn) -> Answering:
        """Begin to answer a request, in whatever thread.

        A body whose end is unknown ends the connection, as does one too many.
        """
        connection: Connection = conn.sock
        broken = connection.too_large or connection.framing.broken
        answering = Answering(conn, functools.partial(self.tell, connection))
        answering.begin(self.wsgi, self.cfg, broken or not self.alive or self.balance.should_part())
        return answering

    def complete(self, answering: Answering) -> bool:
        """Answer it; return whether the connection can take another."""
        keep = answering.complete()
        answering.conn.sock.flush()  # at once: the client waits
        return keep

    def handle(self, conn: TConn) -> bool:
        """Answer a request, in a thread; return whether the connection can take another."""
        return self.complete(self.begin(conn))

    def finish_request(self, conn: TConn, future: Future) -> None:
        """Take a connection back from a thread."""
        self.finish(conn, not future.cancelled() and future.exception() is None and future.result())

    def finish(self, conn: TConn, keep: bool) -> None:
        """Go on with a connection whose request is answered."""
        self.running.pop(conn, None)
        self.leave(conn, keep)

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

    # --- what is refused ---

    def refuse(self, conn: TConn, problem: dict[str, Any]) -> None:
        """Answer a connection that nobody has just now without the application, and close it."""
        connection: Connection = conn.sock
        seconds = time.monotonic() - connection.since
        connection.unsent += self.refusals.answer(problem, path_of(connection.received), seconds)
        self.leave(conn, keep=False)

    def tell(self, connection: Connection, path: str, error: Exception) -> None:
        """Answer what gunicorn could not read or the application not answer."""
        problem = problem_for(error)
        if problem["status"] >= 500:
            self.log.error("answering failed", exc_info=error)
        seconds = time.monotonic() - connection.since
        connection.unsent += self.refusals.answer(problem, path, seconds)

    def has_memory(self) -> bool:
        """Tell whether the bytes of all requests here, finished or not, are few enough for another."""
        unfinished = sum(len(conn.sock.received) for conn in self.resting)
        return unfinished + sum(self.running.values()) <= HELD_UPLOADS * self.settings.max_upload_bytes

    def keep_within_memory(self) -> None:
        """Refuse the largest unfinished request while there is too much of them."""
        if not self.has_memory():
            largest = max(self.resting, key=lambda conn: len(conn.sock.received))
            del self.resting[largest]
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
