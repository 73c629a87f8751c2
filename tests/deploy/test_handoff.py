"""A model goes from the trainer to the service while the service answers requests."""

from pathlib import Path

from service.config import Settings
from tests.deploy.handoff import MODEL, train_under_load
from tests.trainer.quick import QUICK


def test_publishing_and_rolling_back_under_load_fail_no_request(tmp_path: Path) -> None:
    report = train_under_load(tmp_path, [*QUICK])
    assert report.after != report.before
    assert {answer.status for answer in report.answers} == {200}
    assert report.versions(MODEL) == {report.before, report.after}
    assert len(report.versions(Settings().default_model)) == 1
