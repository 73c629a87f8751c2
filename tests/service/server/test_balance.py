"""New connections go to the worker that has fewer of them."""

import contextlib
import os
import signal
import time
from pathlib import Path

import requests

from service.server import balance
from service.server.balance import Balance
from tests.serving import Server, running_service, wait_until

CLIENTS = 40


def sockets(pid: int) -> int:
    """Return how many sockets a worker has open."""
    links = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            links.append(str(descriptor.readlink()))
    return sum(link.startswith("socket:") for link in links)


def ready(server: Server) -> bool:
    """Return whether both workers run and watch their models, which is the last thing that they start."""
    pids = server.workers()
    return len(pids) == 2 and all(len(list(Path(f"/proc/{pid}/task").iterdir())) > 1 for pid in pids)


def test_clients_that_ask_are_shared_between_the_workers(tmp_path: Path) -> None:
    with running_service(tmp_path) as server, contextlib.ExitStack() as closing:
        wait_until(lambda: ready(server), "both workers")
        before = [sockets(pid) for pid in server.workers()]
        clients = [closing.enter_context(requests.Session()) for _ in range(CLIENTS)]

        def all_ask_and_are_shared() -> bool:
            assert {client.get(f"{server.url}/models", timeout=30).status_code for client in clients} == {200}
            counts = [sockets(pid) - idle for pid, idle in zip(server.workers(), before, strict=True)]
            return min(counts) >= 0.35 * CLIENTS

        wait_until(all_ask_and_are_shared, "each worker to have its share of the clients", seconds=15)


def test_connections_are_shared_with_a_worker_that_returns(tmp_path: Path) -> None:
    with running_service(tmp_path) as server, contextlib.ExitStack() as closing:
        wait_until(lambda: ready(server), "both workers")
        absent = server.workers()[0]
        before = sockets(absent)
        os.kill(absent, signal.SIGSTOP)
        try:
            clients = [closing.enter_context(requests.Session()) for _ in range(8)]
            for client in clients:
                assert client.get(f"{server.url}/models", timeout=30).status_code == 200
        finally:
            os.kill(absent, signal.SIGCONT)

        def all_ask_and_are_shared() -> bool:
            assert {client.get(f"{server.url}/models", timeout=30).status_code for client in clients} == {200}
            return sockets(absent) - before >= len(clients) // 2 - 1

        wait_until(all_ask_and_are_shared, "half of the clients to come to the other worker")


def test_a_worker_that_is_alone_takes_all(tmp_path: Path) -> None:
    with running_service(tmp_path, WEB_CONCURRENCY="1") as server:
        answers = [requests.get(f"{server.url}/livez", timeout=5).status_code for _ in range(20)]
    assert answers == [200] * 20


def test_busy_worker_closes_one_connection_at_a_time() -> None:
    one, other = Balance(0), Balance(1)
    try:
        one.count(3)
        assert not one.should_close()  # there is no other worker
        other.count(1)
        time.sleep(balance.PAUSE_SECONDS)
        assert one.should_close()
        assert not one.should_close()  # until its client has had time to come again
        assert not other.should_close()
        time.sleep(balance.PAUSE_SECONDS)
        balance.forget(1)
        assert not one.should_close()
    finally:
        balance.forget(0)
        balance.forget(1)


def test_lowest_worker_that_does_not_stop_is_the_first() -> None:
    one, other = Balance(0), Balance(2)
    try:
        other.count(0)
        assert other.is_first()
        one.count(0)
        assert one.is_first()
        assert not other.is_first()
        one.count(-1)  # it stops, as after a reload
        assert other.is_first()
    finally:
        balance.forget(0)
        balance.forget(2)
