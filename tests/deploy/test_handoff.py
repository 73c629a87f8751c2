"""Under load: a model goes from the trainer to the service, and images that wait for a thread are counted."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from service.config import Settings
from tests.deploy.handoff import MODEL, train_under_load
from tests.deploy.memory import photograph
from tests.serving import running_service, wait_until
from tests.trainer.quick import QUICK


def test_publishing_and_rolling_back_under_load_fail_no_request(tmp_path: Path) -> None:
    report = train_under_load(tmp_path, [*QUICK])
    assert report.after != report.before
    assert {answer.status for answer in report.answers} == {200}
    assert report.versions(MODEL) == {report.before, report.after}
    assert len(report.versions(Settings().default_model)) == 1


def test_requests_that_find_no_thread_are_counted_until_they_do(tmp_path: Path) -> None:
    picture = photograph(2400, 2400, "PNG", "RGBA")  # keeps a thread for a while
    settings = {"WEB_CONCURRENCY": "1", "DIGITS_THREADS": "1"}
    with running_service(tmp_path, **settings) as server, ThreadPoolExecutor(5) as clients:
        assert server.metric("http_requests_waiting") == 0
        answers = [clients.submit(server.predict, picture) for _ in range(5)]
        wait_until(lambda: server.metric("http_requests_waiting") >= 2, "requests that wait")
        assert server.metric("http_requests_waiting") <= 4  # one of the five has the thread
        assert {answer.result().status_code for answer in answers} == {200}
        wait_until(lambda: server.metric("http_requests_waiting") == 0, "the end of the queue")
