"""The worker process: answers the requests that its connections bring, small ones in the loop itself.

    request -> small: begun and completed by the loop, several at a time -> answer
            -> large: a thread                                           -> answer
            -> more than are taken: refused at once

A picture of the usual size takes less time than to hand it to a thread and back, so the loop answers
it between two looks at its sockets. Should one take long all the same, a deputy runs the loop meanwhile.
The threads are few, because none of them ever waits for a client and all of them compete with the
loop for the interpreter.
"""

import functools
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from gunicorn.workers.gthread import TConn

from service.answering import Answering, common_environ
from service.connection import Connection
from service.deputy import Deputy
from service.loop import LoopWorker
from service.model.network import FEW_ROWS
from service.refusals import OVERLOADED, Refusals, path_of, problem_for

# What tells whether the service is well has to be answered when it is not.
PROBES = (b"GET /livez", b"GET /readyz", b"GET /metrics", b"GET /v2/health/")
SMALL_BYTES = 64 * 1024  # of a request that the loop answers itself
ANSWERED_AT_ONCE = FEW_ROWS
ANSWERING_SECONDS = 0.005  # between two looks at the sockets
TURN_SECONDS = 0.02
HELD_UPLOADS = 4  # requests of the largest size that a worker holds in memory; of small ones, many more


class PatientWorker(LoopWorker):
    """Answers requests or has threads do it.

    running: the sizes of the requests that are being answered or wait for it, probes left out. small:
    those that the loop will answer, begun: those that it has begun, answering: that which it is at.
    """

    def init_process(self) -> None:
        """Set up what belongs to this process; gunicorn calls it after the fork, and it never returns."""
        from service.wsgi import metrics, settings

        # Gunicorn asks for some twenty settings a request, and each is looked up in two places.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        self.settings = settings
        self.environ = common_environ(self.cfg)
        self.refusals = Refusals(metrics)
        self.waiting = metrics.requests_waiting
        self.counted_waiting = 0
        self.running: dict[TConn, int] = {}
        self.small: deque[TConn] = deque()
        self.begun: deque[Answering] = deque()
        self.answering: TConn | None = None
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

    # --- a request's way ---

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
        answering = Answering(conn, self.environ, functools.partial(self.tell, connection))
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
