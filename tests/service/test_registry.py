"""Models follow the files in their folder, and a bad file never takes a good model away."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from service.model.artifact import save
from service.registry import ModelRegistry, NoModelError, UnknownModelError
from tests.serving import wait_until
from tests.tiny import tiny_content


@pytest.fixture
def registry(tmp_path):
    save(tmp_path / "one.npz", tiny_content(seed=1))
    registry = ModelRegistry(tmp_path, "one")
    registry.refresh()
    return registry


def version(registry, name=None):
    return registry.get(name).artifact.version


def test_the_default_model_answers_unless_another_is_named(registry, tmp_path):
    save(tmp_path / "two.npz", tiny_content(seed=2))
    registry.refresh()
    assert version(registry) == version(registry, "one") != version(registry, "two")
    assert registry.get().name == "one"


def test_an_unknown_name_lists_the_known_ones(registry):
    with pytest.raises(UnknownModelError, match=r"There is no model 'three'\. Loaded are: one"):
        registry.get("three")


def test_without_the_default_model_it_is_not_ready(tmp_path):
    registry = ModelRegistry(tmp_path / "not there yet", "one")
    registry.refresh()
    assert not registry.ready
    with pytest.raises(NoModelError, match="not loaded yet"):
        registry.get()


def test_a_model_that_appears_later_is_loaded(tmp_path):
    folder = tmp_path / "later"
    registry = ModelRegistry(folder, "one")
    registry.refresh()
    folder.mkdir()
    save(folder / "one.npz", tiny_content())
    registry.refresh()
    assert registry.ready


def test_a_replaced_file_is_served(registry, tmp_path):
    before = version(registry)
    save(tmp_path / "one.npz", tiny_content(seed=5))
    registry.refresh()
    assert version(registry) != before


def test_a_moved_link_is_followed(tmp_path):
    for seed in (1, 2):
        save(tmp_path / f"version-{seed}", tiny_content(seed=seed))
    link = tmp_path / "one.npz"
    link.symlink_to("version-1")
    registry = ModelRegistry(tmp_path, "one")
    registry.refresh()
    before = version(registry)
    (tmp_path / "next").symlink_to("version-2")
    os.replace(tmp_path / "next", link)
    registry.refresh()
    assert version(registry) != before


OTHER_ANSWERS = np.zeros((2, 10), "f4")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish",
        tiny_content()[:1000],
        tiny_content(temperature=0),
        tiny_content(probe_logits=OTHER_ANSWERS),
    ],
    ids=["empty", "rubbish", "truncated", "senseless", "answers other than it should"],
)
def test_broken_file_is_counted_once_and_the_old_model_stays(tmp_path, content):
    failures = []
    save(tmp_path / "one.npz", tiny_content(seed=1))
    registry = ModelRegistry(tmp_path, "one", on_failure=failures.append)
    registry.refresh()
    before = version(registry)
    (tmp_path / "one.npz").write_bytes(content)
    for _ in range(3):
        registry.refresh()
    assert failures == ["one"]
    assert version(registry) == before
    save(tmp_path / "one.npz", tiny_content(seed=2))
    registry.refresh()
    assert version(registry) != before


def looks(registry: ModelRegistry, caplog: pytest.LogCaptureFixture, times: int = 3) -> list[str]:
    """Look a few times; return what was logged."""
    caplog.clear()
    for _ in range(times):
        registry.refresh()
    return [record.message for record in caplog.records]


def test_a_file_that_cannot_be_read_is_tried_at_every_look(tmp_path, monkeypatch, caplog):
    failures, tries = [], []
    original = Path.read_bytes
    save(tmp_path / "one.npz", tiny_content(seed=1))

    def read_bytes(path: Path) -> bytes:
        tries.append(path.name)
        raise PermissionError(13, "Permission denied", str(path))

    registry = ModelRegistry(tmp_path, "one", on_failure=failures.append)
    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert looks(registry, caplog) == ["model refused"]
    assert "Permission denied" in caplog.records[0].reason
    assert (tries, failures) == (["one.npz"] * 3, ["one"])
    monkeypatch.setattr(Path, "read_bytes", original)
    caplog.set_level("INFO")
    assert looks(registry, caplog) == ["model loaded"]  # though the file is what it was
    assert registry.ready


def test_a_broken_link_is_loaded_when_its_file_comes(tmp_path, caplog):
    failures = []
    (tmp_path / "one.npz").symlink_to("later")
    registry = ModelRegistry(tmp_path, "one", on_failure=failures.append)
    assert looks(registry, caplog) == ["model refused"]
    assert failures == ["one"]
    save(tmp_path / "later", tiny_content(seed=1))
    registry.refresh()
    assert registry.ready
    before = version(registry)
    (tmp_path / "later").unlink()
    assert looks(registry, caplog) == ["model refused"]
    assert caplog.records[0].old_one_serves
    assert version(registry) == before
    assert failures == ["one", "one"]


def test_a_removed_file_takes_its_model_along(registry, tmp_path):
    save(tmp_path / "two.npz", tiny_content(seed=2))
    registry.refresh()
    (tmp_path / "two.npz").unlink()
    registry.refresh()
    assert sorted(registry.all()) == ["one"]


def test_a_folder_that_vanishes_leaves_the_models_serving(registry, tmp_path):
    shutil.rmtree(tmp_path)
    registry.refresh()
    assert registry.ready


def test_changes_are_announced(tmp_path):
    changes = []
    registry = ModelRegistry(tmp_path, "one", on_load=lambda name, model: changes.append((name, bool(model))))
    save(tmp_path / "one.npz", tiny_content())
    save(tmp_path / "two.npz", tiny_content())
    registry.refresh()
    registry.refresh()
    (tmp_path / "two.npz").unlink()
    registry.refresh()
    assert changes == [("one", True), ("two", True), ("two", False)]


def test_half_written_neighbours_are_ignored(registry, tmp_path):
    (tmp_path / ".two.npz.123.tmp").write_bytes(b"half")
    (tmp_path / ".hidden.npz").write_bytes(b"half")
    registry.refresh()
    assert sorted(registry.all()) == ["one"]


def test_the_watcher_picks_changes_up_by_itself(registry, tmp_path):
    before = version(registry)
    registry.watch(pause_seconds=0.02)
    save(tmp_path / "one.npz", tiny_content(seed=6))
    wait_until(lambda: version(registry) != before, "the new version", seconds=10)


def test_the_watcher_survives_an_unexpected_error(registry, tmp_path, monkeypatch):
    calls = []

    def refresh():
        calls.append(1)
        raise RuntimeError("unexpected")

    monkeypatch.setattr(registry, "refresh", refresh)
    registry.watch(pause_seconds=0.01)
    wait_until(lambda: len(calls) > 2, "further looks", seconds=10)
