"""Workers that end, memory, processor time, connections and limits are counted over all workers."""

import os
import signal
import socket
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from service.config import Settings
from service.metrics import Metrics
from service.process_metrics import memory_bytes, memory_limit_bytes
from tests.serving import Server, copy_models, running_service, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("processes")
    settings = {
        "DIGITS_MODELS_DIR": str(copy_models(folder / "models")),
        "DIGITS_RELOAD_SECONDS": "0.1",
        "DIGITS_MAX_IN_FLIGHT": "7",
    }
    with running_service(folder, **settings) as running:
        wait_until(lambda: running.metric("digits_workers_running") == 2, "two workers")
        yield running


def died(server: Server) -> float:
    return server.metric("digits_worker_exits_total", how="died")


def counted(server: Server, labels: dict[str, str]) -> bool:
    return server.metric("digits_worker_exits_total", **labels) == 1


def stopped(server: Server) -> float:
    return server.metric("digits_worker_exits_total", how="stopped")


def test_limits_and_build_are_shown(server: Server) -> None:
    assert server.metric("http_requests_in_flight_limit") == 2 * 7
    assert server.metric("digits_decoding_limit_bytes") == Settings().max_decoding_bytes
    python = ".".join(map(str, sys.version_info[:3]))
    assert server.metric("digits_build_info", version="1.0.0", python=python) == 1


def test_memory_counts_master_and_workers_once(server: Server) -> None:
    processes = [server.process.pid, *server.workers()]

    def is_their_memory() -> bool:  # measured now and then, and they grow as they start
        expected = sum(memory_bytes(Path(f"/proc/{process}")) for process in processes)
        return server.metric("digits_memory_bytes") == pytest.approx(expected, rel=0.2)

    wait_until(is_their_memory, "the memory of all processes")


def test_open_connections_are_counted(server: Server) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port)),
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        wait_until(lambda: server.metric("http_connections_open") >= 3, "two and the scrape")
    wait_until(lambda: server.metric("http_connections_open") == 1, "the scrape only")


def test_a_killed_worker_is_counted_and_replaced(server: Server) -> None:
    before = died(server)
    cpu = server.metric("digits_cpu_seconds_total")
    os.kill(server.workers()[0], signal.SIGKILL)
    wait_until(lambda: died(server) == before + 1, "the death is counted")
    assert server.metric("digits_worker_exits_total", how="died", signal="SIGKILL") == 1
    wait_until(lambda: server.metric("digits_workers_running") == 2, "another worker runs")
    assert server.metric("digits_cpu_seconds_total") >= cpu > 0
    assert server.metric("http_requests_in_flight_limit") == 2 * 7


def test_a_worker_that_crashes_is_counted_by_its_signal(server: Server) -> None:
    for sent, label in ((signal.SIGSEGV, "SIGSEGV"), (signal.SIGXCPU, "other")):
        labels = {"how": "died", "signal": label}
        os.kill(server.workers()[0], sent)
        wait_until(partial(counted, server, labels), "the death is counted")
        wait_until(lambda: server.metric("digits_workers_running") == 2, "another worker runs")


def test_a_worker_that_is_told_to_stop_did_not_die(server: Server) -> None:
    dead, before = died(server), stopped(server)
    os.kill(server.workers()[0], signal.SIGTERM)
    wait_until(lambda: stopped(server) == before + 1, "the end is counted")
    wait_until(lambda: server.metric("digits_workers_running") == 2, "another worker runs")
    assert died(server) == dead


def test_a_refused_model_shows_until_its_file_is_gone(server: Server) -> None:
    broken = server.log.parent / "models" / "broken.npz"
    broken.write_bytes(b"no model")
    wait_until(lambda: server.metric("digits_model_refused", model="broken") == 1, "the refusal")
    # One worker of the two counts it, at its own next look.
    failures = "digits_model_load_failures_total"
    wait_until(lambda: server.metric(failures, model="broken") >= 1, "the count")
    # The next worker in each place reports the same.
    for worker in server.workers():
        os.kill(worker, signal.SIGTERM)
    wait_until(lambda: server.metric("digits_workers_running") == 2, "two workers")
    wait_until(lambda: server.metric("digits_model_refused", model="broken") == 1, "the refusal")
    broken.unlink()
    wait_until(lambda: server.metric("digits_model_refused", model="broken") == 0, "the end of it")
    assert server.metric(failures, model="broken") >= 1


def test_after_a_reload_one_worker_still_reports(server: Server) -> None:
    old = set(server.workers())
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(server.workers()) == 2 and not old & set(server.workers()), "two other workers")
    wait_until(lambda: server.metric("digits_workers_running") == 2, "two workers run")
    processes = [server.process.pid, *server.workers()]
    expected = sum(memory_bytes(Path(f"/proc/{process}")) for process in processes)
    wait_until(
        lambda: server.metric("digits_memory_bytes") == pytest.approx(expected, rel=0.2), "master's memory"
    )
    (server.log.parent / "models" / "late.npz").write_bytes(b"no model")
    wait_until(lambda: server.metric("digits_model_load_failures_total", model="late") == 1, "the report")


@pytest.mark.parametrize(("text", "expected"), [("536870912\n", 536870912), ("max\n", 0), (None, 0)])
def test_the_memory_limit_is_the_containers(text: str | None, expected: int, tmp_path: Path) -> None:
    file = tmp_path / "memory.max"
    if text is not None:
        file.write_text(text)
    assert memory_limit_bytes(file) == expected


def test_memory_without_proc_is_nothing(tmp_path: Path) -> None:
    assert memory_bytes(tmp_path) == 0


def test_scrape_waits_for_the_file_of_a_worker_that_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    file = tmp_path / "counter_7.db"
    file.touch()  # as it is between its creation and its first value
    monkeypatch.setattr(time, "sleep", lambda seconds: file.unlink())
    assert Metrics(CollectorRegistry()).render()[0] == b""
    assert not file.exists()


def test_refusals_begin_at_zero() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.announce({})
    assert b'digits_requests_refused_total{reason="overloaded"} 0.0' in metrics.render()[0]
