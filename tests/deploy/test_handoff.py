"""From the trainer to the service, while it answers."""

from pathlib import Path

from tests.deploy.handoff import QUICK, train_under_load


def test_a_model_published_under_load_fails_no_request(tmp_path: Path) -> None:
    report = train_under_load(tmp_path, QUICK)
    assert report.after != report.before
    assert {answer.status for answer in report.answers} == {200}
    assert {answer.version for answer in report.answers} == {report.before, report.after}
