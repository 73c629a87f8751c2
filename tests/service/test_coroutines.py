"""Coroutines inside of synchronous code, on the server's event loop and without one."""

import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, g, request

from service.app import Application
from service.coroutines import InGreenlet, run
from tests.serving import PROJECT, run_alone

CLIENTS, ROUNDS = 60, 20


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="none")


async def later(value: Any, seconds: float = 0.001) -> Any:
    await asyncio.sleep(seconds)
    return value


def on_loop(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a synchronous function that an event loop calls in a greenlet."""

    async def main() -> Any:
        return await InGreenlet(function, *arguments)

    return run_alone(main())


class TestInGreenlet:
    def test_the_result_of_the_function_comes_back(self):
        assert on_loop(lambda a, b: a + b, 1, 2) == 3
        assert on_loop(lambda: run(later("a")) + run(later("b"))) == "ab"

    def test_other_tasks_run_while_a_coroutine_waits(self):
        async def main() -> list[str]:
            order: list[str] = []

            def slow() -> None:
                run(later(None, 0.02))
                order.append("slow")

            async def quick() -> None:
                order.append("quick")

            await asyncio.gather(InGreenlet_task(slow), quick())
            return order

        async def InGreenlet_task(function: Callable[[], None]) -> None:
            await InGreenlet(function)

        assert run_alone(main()) == ["quick", "slow"]

    def test_exceptions_pass_through_in_both_directions(self):
        async def fail() -> None:
            await asyncio.sleep(0)
            raise KeyError("inside")

        def catches() -> str:
            try:
                run(fail())
            except KeyError as error:
                return f"caught {error}"
            return "missed"

        assert on_loop(catches) == "caught 'inside'"
        with pytest.raises(KeyError, match="inside"):
            on_loop(lambda: run(fail()))
        with pytest.raises(ZeroDivisionError):
            on_loop(lambda: 1 / 0)

    def test_cancellation_reaches_the_coroutine(self):
        seen: list[str] = []

        async def wait() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("cancelled")
                await asyncio.sleep(0.001)
                seen.append("cleaned up")
                raise

        def view() -> None:
            try:
                run(wait())
            finally:
                seen.append("left")

        async def call() -> None:
            await InGreenlet(view)

        async def main() -> None:
            task = asyncio.create_task(call())
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()

        run_alone(main())
        assert seen == ["cancelled", "cleaned up", "left"]

    def test_context_variables_are_those_of_the_caller(self):
        async def read() -> str:
            await asyncio.sleep(0.001)
            VARIABLE.set(f"{VARIABLE.get()} seen")
            return VARIABLE.get()

        def view() -> tuple[str, str]:
            VARIABLE.set(f"{VARIABLE.get()} view")
            return run(read()), VARIABLE.get()

        async def call(name: str) -> tuple[str, str, str]:
            VARIABLE.set(name)
            return *await InGreenlet(view), VARIABLE.get()

        async def main() -> list[tuple[str, str, str]]:
            return await asyncio.gather(call("a"), call("b"))

        # The coroutine shares the view's context; the caller keeps its own, as from any call in a copy of it.
        expected = [(f"{name} view seen", f"{name} view seen", name) for name in ("a", "b")]
        assert run_alone(main()) == expected

    def test_awaits_can_be_nested(self):
        async def inner(depth: int) -> int:
            if not depth:
                return await later(1)
            values = await asyncio.gather(inner(depth - 1), inner(depth - 1))
            return sum(values) + await InGreenlet(lambda: run(later(0)))

        assert on_loop(lambda: run(inner(4))) == 16

    def test_a_timeout_ends_what_is_inside_of_it(self):
        async def wait() -> str:
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(60)
            except TimeoutError:
                return await later("timeout")
            return "none"

        assert on_loop(lambda: run(wait())) == "timeout"

    def test_a_thread_can_be_awaited(self):
        async def ask() -> tuple[str, bool]:
            name = await asyncio.to_thread(lambda: threading.current_thread().name)
            return name, name == threading.current_thread().name

        name, same = on_loop(lambda: run(ask()))
        assert not same
        assert name.startswith("asyncio")


def small_app() -> Flask:
    """Return an application whose views wait in every way, between reading request and g."""
    app = Application()

    @app.before_request
    def note() -> None:
        g.number = request.args["number"]

    @app.get("/sleep")
    async def sleep() -> dict[str, str]:
        await asyncio.sleep(float(request.args["seconds"]))
        async with asyncio.timeout(5):
            seen = await asyncio.to_thread(lambda: (request.args["number"], g.number))
        await asyncio.sleep(0)
        return {"thread": "/".join(seen), "g": g.number, "request": request.args["number"]}

    @app.get("/plain")
    def plain() -> dict[str, str]:
        return {"g": g.number, "request": request.args["number"]}

    return app


def ask(app: Flask, number: str) -> dict[str, str]:
    """Return what the sleeping view answers through Flask's test client."""
    seconds = int(number) % 7 / 1000
    return app.test_client().get(f"/sleep?number={number}&seconds={seconds}").json


def expected(number: str) -> dict[str, str]:
    return {"thread": f"{number}/{number}", "g": number, "request": number}


def test_sixty_requests_at_once_keep_their_own_request_and_g():
    app = small_app()

    async def call(number: str) -> dict[str, str]:
        return await InGreenlet(ask, app, number)

    async def main() -> None:
        for turn in range(ROUNDS):
            numbers = [str(turn * CLIENTS + k) for k in range(CLIENTS)]
            found = await asyncio.gather(*map(call, numbers))
            assert found == [expected(number) for number in numbers]

    run_alone(main())


def test_threads_without_a_loop_share_one_in_the_background():
    app = small_app()
    found: dict[str, dict[str, str]] = {}

    def client(first: int) -> None:
        for number in map(str, range(first, first + 5)):
            found[number] = ask(app, number)

    threads = [threading.Thread(target=client, args=(5 * k,)) for k in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {str(number): expected(str(number)) for number in range(100)}
    assert run(later(threading.current_thread().name)) == threading.current_thread().name
    assert sum(thread.name == "event-loop" for thread in threading.enumerate()) == 1


def test_an_error_in_the_background_reaches_its_caller():
    async def fail() -> None:
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        run(fail())


def test_a_forked_process_gets_a_loop_of_its_own():
    code = """
import asyncio, os
from service.coroutines import run

async def later(value):
    await asyncio.sleep(0.001)
    return value

assert run(later(1)) == 1
child = os.fork()
if child == 0:
    os._exit(run(later(7)))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert run(later(2)) == 2
"""
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True, timeout=30)
