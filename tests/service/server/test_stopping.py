"""A stopping worker loses no accepted request, and a killed worker loses only its own."""

import concurrent.futures
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import requests

from service.model.artifact import parse, save
from tests.drawing import digit_png
from tests.serving import PROJECT, Server, running_service, wait_until
from tests.sockets import connect, open_connections, post, read_all, split
from tests.tiny import tiny_content

IMAGE = digit_png(7)


class Load:
    """Clients that send requests on new connections until told to stop, and the outcome of each request."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._done = threading.Event()
        self.statuses: list[int] = []
        self.refused = 0  # no worker listened: not accepted, so not lost
        self.lost: list[Exception] = []

    def _ask(self) -> None:
        while not self._done.is_set():
            try:
                connection = connect(self._server)
            except ConnectionRefusedError:
                self.refused += 1
                time.sleep(0.01)
                continue
            with connection:
                try:
                    connection.sendall(post(IMAGE, Connection="close"))
                    (answer,) = split(*read_all(connection))
                    self.statuses.append(answer.status)
                except (OSError, ValueError) as error:
                    self.lost.append(error)

    @contextlib.contextmanager
    def __call__(self, clients: int) -> Iterator["Load"]:
        threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(self.statuses) > 20, "the load")
            yield self
        finally:
            self._done.set()
            for thread in threads:
                thread.join()


def test_sigterm_under_load_loses_no_request(tmp_path):
    with running_service(tmp_path, DIGITS_DRAIN_SECONDS="4") as server:
        with Load(server)(6) as load:
            server.process.send_signal(signal.SIGTERM)
            seen = []

            def is_not_ready() -> bool:
                seen.append(requests.get(f"{server.url}/readyz", timeout=5))
                return seen[-1].status_code == 503

            wait_until(is_not_ready, "/readyz says no", seconds=10)
            assert int(seen[-1].headers["Retry-After"]) > 0
            # Clients that do not know yet are still answered, on new connections too.
            assert server.predict(IMAGE).json()["digit"] == 7
            assert requests.get(f"{server.url}/livez", timeout=5).status_code == 200
        # Here the load ended, as behind a proxy that watches readiness.
        assert load.lost == []
        assert load.refused == 0
        assert set(load.statuses) == {200}
        assert server.process.wait(30) == 0


def test_sigterm_without_a_drain_loses_no_begun_request(tmp_path):
    with running_service(tmp_path) as server:
        halves = [connect(server) for _ in range(20)]
        for connection in halves:
            connection.sendall(post(IMAGE)[:-500])
        wait_until(lambda: open_connections(server) >= 20, "the halves")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        for connection in halves:
            connection.sendall(post(IMAGE)[-500:])
        for connection in halves:
            with connection:
                (answer,) = split(*read_all(connection))
                assert answer.status == 200
                assert answer.headers["connection"] == "close"
        assert server.process.wait(30) == 0


def test_unaccepted_connections_are_answered_at_the_end(tmp_path):
    with running_service(tmp_path, WEB_CONCURRENCY="1") as server:
        (worker,) = server.workers()
        os.kill(worker, signal.SIGSTOP)
        waiting = [connect(server) for _ in range(10)]
        for connection in waiting:
            connection.sendall(post(IMAGE))
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)  # the master passes it on
        os.kill(worker, signal.SIGCONT)
        for connection in waiting:
            with connection:
                (answer,) = split(*read_all(connection))
                assert answer.status == 200


# A worker right after the fork: what its process would do with SIGTERM before it has handlers of its own.
FORK = """
import os, signal
import service.server.gunicorn_conf as conf
if os.fork():
    os.wait()
    print("master", signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
else:
    print("worker", signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()), flush=True)
    os._exit(0)
"""


def test_signal_to_a_new_worker_waits_for_its_handlers(tmp_path):
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    printed = subprocess.check_output([sys.executable, "-c", FORK], cwd=PROJECT, env=environment, text=True)
    assert printed.split("\n")[:2] == ["worker True", "master False"]


def test_an_idle_connection_does_not_hold_the_end_up(tmp_path):
    # Far longer than `stop` waits: the connections have to end it, not the time-out.
    with (
        running_service(tmp_path, DIGITS_GRACEFUL_TIMEOUT_SECONDS="600") as server,
        requests.Session() as session,
        connect(server) as silent,
    ):
        session.get(f"{server.url}/livez", timeout=5)
        assert server.stop() == 0
        assert silent.recv(1) == b""


def test_killed_worker_costs_only_the_requests_it_held(tmp_path):
    folder = tmp_path / "metrics"
    with running_service(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(folder)) as server:
        counts = [0.0]

        def count() -> None:
            with contextlib.suppress(requests.ConnectionError):  # the scrape the killed worker held
                counts.append(server.metric("http_requests_total", route="/predict"))

        with Load(server)(6) as load:
            count()
            # Two of gauges, one of counters and one of histograms for each worker that has answered.
            wait_until(lambda: len(list(folder.glob("*_[01].db"))) == 8, "both workers' files")
            before = sorted(path.name for path in folder.glob("*.db"))
            for _ in range(3):
                victim = server.workers()[0]
                answered = len(load.statuses)
                os.kill(victim, signal.SIGKILL)
                wait_until(
                    lambda victim=victim: len(server.workers()) == 2 and victim not in server.workers(),
                    "a new worker",
                )
                wait_until(lambda answered=answered: len(load.statuses) > answered + 30, "answers again")
                count()
        count()
        assert set(load.statuses) == {200}
        assert load.refused == 0
        assert len(load.lost) <= 3 * 6  # never more than there were clients
        assert counts == sorted(counts)
        # What a killed worker counted stays; a request it counted may have lost its answer.
        assert len(load.statuses) <= counts[-1] <= len(load.statuses) + len(load.lost)
        assert sorted(path.name for path in folder.glob("*.db")) == before


def test_a_restart_begins_with_an_empty_folder_of_metrics(tmp_path):
    folder = tmp_path / "metrics"
    for _ in range(2):
        with running_service(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(folder)) as server:
            assert server.metric("http_requests_total", route="/predict") == 0
            server.predict(IMAGE)
            assert server.metric("http_requests_total", route="/predict") == 1


def test_a_stopped_service_leaves_no_temporary_file_behind(tmp_path):
    with running_service(tmp_path, TMPDIR=str(tmp_path)) as server:
        server.predict(IMAGE)
        assert list(tmp_path.glob("digits-metrics-*/*.db"))
        assert server.stop() == 0
    assert list(tmp_path.iterdir()) == [server.log]


def test_model_replaced_repeatedly_under_load_fails_no_request(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    contents = [tiny_content(seed=seed) for seed in range(4)]
    save(models / "mnist-28x28.npz", contents[0])
    settings = {"DIGITS_MODELS_DIR": str(models), "DIGITS_RELOAD_SECONDS": "0.1"}
    with running_service(tmp_path, **settings) as server:
        seen: list[tuple[int, str]] = []

        def ask() -> None:
            response = server.predict(IMAGE)
            seen.append((response.status_code, response.json()["model"]["version"]))

        def served() -> set[str]:
            """The versions that a few requests, so both workers, are answered by."""
            return {server.predict(IMAGE).json()["model"]["version"] for _ in range(8)}

        expected = [parse(content).version for content in contents]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for content, version in zip(contents[1:], expected[1:], strict=True):
                save(models / "mnist-28x28.npz", content)
                (models / "other.npz").write_bytes(content[:1000])
                list(pool.map(lambda _: ask(), range(60)))
                wait_until(lambda version=version: served() == {version}, "the new version", seconds=10)
        assert {status for status, _ in seen} == {200}
        assert {version for _, version in seen} <= set(expected)
