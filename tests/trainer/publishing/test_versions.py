"""A folder keeps versions, a pointer leads to one of them, and the pointer moves in one step."""

import errno
import os
import re
import threading
import time
from pathlib import Path

import pytest

from service.model.artifact import load, parse
from service.registry import ModelRegistry
from tests.tiny import tiny_content
from trainer.cli import main
from trainer.errors import RefusedError, TrainerError
from trainer.publishing import list_versions, rollback
from trainer.publishing.versions import Version, add_version, point, prune_versions

NAME = "digits-8x8"


def put(folder: Path, seed: int) -> str:
    """Add a version of random weights and return its name; what was published before is older."""
    folder.mkdir(exist_ok=True)
    content = tiny_content(seed=seed)
    version = parse(content).version
    add_version(
        folder,
        NAME,
        version,
        {f"{NAME}.md": f"card {seed}".encode(), f"{NAME}.npz.sha256": b"", f"{NAME}.npz": content},
    )
    moment = 1_700_000_000 + seed
    os.utime(folder / ".versions" / NAME / version / f"{NAME}.npz", (moment, moment))
    return version


def serving(folder: Path) -> str:
    return load(folder / f"{NAME}.npz").version


def test_name_leads_to_the_latest_version(tmp_path: Path) -> None:
    first, second = put(tmp_path, 1), put(tmp_path, 2)
    assert first != second == serving(tmp_path)
    assert (tmp_path / f"{NAME}.md").read_text() == "card 2"
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        ".versions",
        f"{NAME}.md",
        f"{NAME}.npz",
        f"{NAME}.npz.sha256",
    ]


def test_folder_can_be_mounted_anywhere(tmp_path: Path) -> None:
    version = put(tmp_path / "written", 1)
    (tmp_path / "written").rename(tmp_path / "read")
    assert serving(tmp_path / "read") == version


def test_rollback_moves_card_checksum_and_model_together(tmp_path: Path) -> None:
    first, second = put(tmp_path, 1), put(tmp_path, 2)
    assert rollback(tmp_path, NAME).version == first == serving(tmp_path)
    assert (tmp_path / f"{NAME}.md").read_text() == "card 1"
    assert rollback(tmp_path, NAME).version == second == serving(tmp_path)


def test_rollback_reaches_every_kept_version(tmp_path: Path) -> None:
    published = [put(tmp_path, seed) for seed in range(4)]
    rollback(tmp_path, NAME, published[1])
    assert serving(tmp_path) == published[1]
    assert [(one.version, one.current, one.previous) for one in list_versions(tmp_path, NAME)] == [
        (published[3], False, True),
        (published[2], False, False),
        (published[1], True, False),
        (published[0], False, False),
    ]


@pytest.mark.parametrize("version", ["123456789abc", "../../elsewhere", "current", "previous", ".", ""])
def test_unknown_version_lists_the_kept_ones(tmp_path: Path, version: str) -> None:
    only = put(tmp_path, 1)
    with pytest.raises(TrainerError, match=rf"of {NAME}; kept: {only}$"):
        rollback(tmp_path, NAME, version)
    assert serving(tmp_path) == only


def test_first_version_has_no_predecessor(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=f"has no model {NAME}$"):
        rollback(tmp_path, NAME)
    (tmp_path / f"{NAME}.npz").write_bytes(tiny_content(seed=1))
    with pytest.raises(TrainerError, match="has only the first version of digits-8x8"):
        rollback(tmp_path, NAME)
    put(tmp_path, 1)
    with pytest.raises(TrainerError, match="no version before this one"):
        rollback(tmp_path, NAME)


def test_rollback_refuses_a_corrupt_version(tmp_path: Path) -> None:
    first, second = put(tmp_path, 1), put(tmp_path, 2)
    (tmp_path / ".versions" / NAME / first / f"{NAME}.npz").write_bytes(tiny_content(seed=1)[:-100])
    with pytest.raises(RefusedError, match=rf"not rolled back to {first}: .*truncated"):
        rollback(tmp_path, NAME)
    assert serving(tmp_path) == second


def test_prune_keeps_the_current_and_previous_version(tmp_path: Path) -> None:
    published = [put(tmp_path, seed) for seed in range(6)]
    point(tmp_path, NAME, published[0])
    prune_versions(tmp_path, NAME, keep=3)
    assert {one.version for one in list_versions(tmp_path, NAME)} == {
        published[0],
        published[5],
        published[4],
    }
    assert rollback(tmp_path, NAME).version == published[5]
    prune_versions(tmp_path, NAME, keep=2)
    assert {one.version for one in list_versions(tmp_path, NAME)} == {published[0], published[5]}


def test_plain_file_becomes_a_version(tmp_path: Path) -> None:
    plain = tiny_content(seed=7)
    (tmp_path / f"{NAME}.npz").write_bytes(plain)
    (tmp_path / f"{NAME}.md").write_text("the card of the image")
    new = put(tmp_path, 1)
    assert serving(tmp_path) == new
    assert rollback(tmp_path, NAME).version == parse(plain).version == serving(tmp_path)
    assert (tmp_path / f"{NAME}.md").read_text() == "the card of the image"


def test_plain_file_over_the_link_rolls_back_to_the_pointer(tmp_path: Path) -> None:
    version = put(tmp_path, 1)
    (tmp_path / f"{NAME}.npz").unlink()
    (tmp_path / f"{NAME}.npz").write_bytes(tiny_content(seed=2))
    assert rollback(tmp_path, NAME).version == version == serving(tmp_path)
    assert len(list_versions(tmp_path, NAME)) == 2


def test_publication_killed_before_the_move_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put(tmp_path, 1)

    def die(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "symlink_to", die)
    with pytest.raises(OSError, match="No space left"):
        put(tmp_path, 2)
    assert serving(tmp_path) == first
    assert not [path.name for path in tmp_path.rglob("*.tmp")]


def test_volume_without_links_is_refused_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tiny_content(seed=7)
    (tmp_path / f"{NAME}.npz").write_bytes(plain)

    def refuse(*arguments: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")  # as SMB does

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(TrainerError, match=r"takes no symbolic links \(Operation not sup.*mfsymlinks"):
        put(tmp_path, 1)
    assert {path.name for path in tmp_path.iterdir()} == {f"{NAME}.npz"}
    assert (tmp_path / f"{NAME}.npz").read_bytes() == plain


def test_removed_model_is_no_longer_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, 1), put(tmp_path, 2)
    (tmp_path / "other.npz").write_bytes(tiny_content(seed=3))
    registry = ModelRegistry(tmp_path, "other")
    registry.refresh()
    assert set(registry.all()) == {NAME, "other"}
    assert main(["remove", NAME, "--in", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"removed {NAME} from {tmp_path}, with 2 versions\n"
    registry.refresh()
    assert set(registry.all()) == {"other"}
    assert not list((tmp_path / ".versions").iterdir())
    assert main(["remove", NAME, "--in", str(tmp_path)]) == 1
    assert f"has no model {NAME}; it has other." in capsys.readouterr().err


def test_reader_during_the_move_gets_a_whole_version(tmp_path: Path) -> None:
    known = {put(tmp_path, seed) for seed in (1, 2)}
    seen, done = set(), threading.Event()

    def move() -> None:
        while not done.is_set():
            rollback(tmp_path, NAME)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        end = time.monotonic() + 10
        while seen != known and time.monotonic() < end:
            seen |= {load(tmp_path / f"{NAME}.npz").version for _ in range(200)}  # raises if it is missing
    finally:
        done.set()
        mover.join()
    assert seen == known


def test_service_follows_the_pointer_and_survives_a_dead_link(
    tmp_path: Path,
) -> None:
    first, second = put(tmp_path, 1), put(tmp_path, 2)
    failures: list[str] = []
    registry = ModelRegistry(tmp_path, NAME, on_failure=failures.append)
    registry.refresh()
    assert registry.get().artifact.version == second
    rollback(tmp_path, NAME)
    registry.refresh()
    assert registry.get().artifact.version == first
    (tmp_path / ".versions" / NAME / "current").unlink()
    for _ in range(3):
        registry.refresh()
    assert failures == [NAME]
    assert registry.get().artifact.version == first


def test_commands_publish_list_and_roll_back(
    quick_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ["--to", str(tmp_path), "--keep", "2", "--minimum-accuracy", "0.1", "--maximum-drop", "1"]
    older = put(tmp_path, 1)
    assert main(["publish", str(quick_model), *kept]) == 0
    newer = load(quick_model).version
    assert re.search(rf"{newer} .* serves\n  {older} .* served before\n$", capsys.readouterr().out)
    assert main(["rollback", NAME, "--in", str(tmp_path), "--version", older]) == 0
    assert f"rolled back {tmp_path / NAME}.npz" in capsys.readouterr().out
    assert main(["versions", NAME, "--in", str(tmp_path)]) == 0
    assert re.search(rf"{newer} .* served before\n  {older} .* serves\n$", capsys.readouterr().out)
    assert [isinstance(one, Version) for one in list_versions(tmp_path, NAME)] == [True, True]
