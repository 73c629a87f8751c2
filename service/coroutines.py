"""Coroutines called from synchronous code: Flask's views can wait without blocking the event loop.

    event loop: await InGreenlet(app, environ, ...) -> app runs in a greenlet -> a view is a coroutine
                <- the future that it waits for      <- run(coroutine)  (switches out until that is done)
    any other thread: run(coroutine) -> one event loop in the background of the process -> its result

A coroutine runs inside the greenlet, so it sees the context variables of the code around it,
Flask's `request` among them. SQLAlchemy's asyncio extension works the same way (`greenlet_spawn`).
"""

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from greenlet import getcurrent, greenlet


class InGreenlet:
    """Awaitable: a synchronous function called in a greenlet, with the caller's context variables."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._function = function
        self._arguments = arguments

    def __await__(self) -> Generator[Any, Any, Any]:
        """Yield the futures that the function waits for; return its result."""
        call = _Call(self._function)
        call.gr_context = contextvars.copy_context()
        result = call.switch(*self._arguments)
        while not call.dead:
            try:
                done = yield result
            except BaseException as error:  # cancellation included
                result = call.throw(error)
            else:
                result = call.switch(done)
        return result


class _Call(greenlet):
    """A greenlet whose parent passes futures to an event loop."""


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine; the event loop runs other tasks while it waits."""
    call = getcurrent()
    if not isinstance(call, _Call):
        return asyncio.run_coroutine_threadsafe(coroutine, _background.loop()).result()
    step: Callable[[Any], Any] = coroutine.send
    argument: Any = None
    future: Any = None
    try:
        while True:
            future = step(argument)
            try:
                step, argument = coroutine.send, call.parent.switch(future)
            except BaseException as error:
                step, argument = coroutine.throw, error
    except StopIteration as finished:
        return finished.value
    finally:
        # An error's traceback refers to this frame. If the frame referred to the error too, this cycle would
        # keep the request's images in memory until the garbage collector runs.
        del step, argument, future


class _Background:
    """The event loop for threads that have none; it starts with the first coroutine and never stops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop; threads that call this at the same time get the same one."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="event-loop", daemon=True).start()
            return self._loop


_background = _Background()
os.register_at_fork(after_in_child=_background.__init__)  # type: ignore[misc] # threads do not survive a fork
