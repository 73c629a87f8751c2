"""The comparison of two builds finds each kind of difference, and overlooks times."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.deploy.same_files import main


def archive(path: Path, content: bytes = b"code", **changed: object) -> Path:
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("app/service/app.py")
        member.size = len(content)
        for name, value in ({"mode": 0o644, "mtime": 1} | changed).items():
            setattr(member, name, value)
        tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("opt/venv/bin/python")
        link.type, link.linkname = tarfile.SYMTYPE, "/usr/local/bin/python"
        tar.addfile(link)
    return path


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"mtime": 2}, None),
        ({"content": b"edoc"}, "app/service/app.py: content"),
        ({"mode": 0o600}, "app/service/app.py: mode"),
        ({"uid": 10001}, "app/service/app.py: owner"),
        ({"name": "app/other.py"}, "app/other.py: only in the second"),
    ],
)
def test_a_difference_between_builds_is_named(
    changed: dict, line: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = archive(tmp_path / "first.tar"), archive(tmp_path / "second.tar", **changed)
    assert main(first, second) == (1 if line else 0)
    printed = capsys.readouterr().out.splitlines()
    assert line in printed if line else printed == ["2 and 2 files, 0 differ"]
