"""Versions of a model beside each other in a folder, and the pointer that says which one serves.

    NAME.npz -> .versions/NAME/current/NAME.npz          likewise NAME.npz.sha256 and NAME.md
                .versions/NAME/current -> 1a2b3c4d5e6f   the pointer: moved by one rename
                .versions/NAME/1a2b3c4d5e6f/NAME.npz     never changed once the pointer is there
                .versions/NAME/previous -> ...           where the pointer was before

Links are relative, so the folder may be mounted anywhere, and lie on one file system, where a rename
is one step: whoever opens NAME.npz gets one version or the other. Rolling back moves the pointer.
"""

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from service.model.artifact import Artifact, ArtifactError, load, save
from service.model.classifier import Classifier
from trainer.errors import RefusedError, TrainerError

FOLDER = ".versions"  # hidden: the service looks at no name that begins with a dot
CURRENT, PREVIOUS = "current", "previous"
SUFFIXES = (".md", ".npz.sha256", ".npz")


class Version(NamedTuple):
    """One version in a folder: when it was published, and whether the pointer is or was there."""

    version: str
    published: datetime
    current: bool
    previous: bool


def add(folder: Path, name: str, version: str, files: Mapping[str, bytes]) -> None:
    """Write the files of a version, then point at it. Raises OSError; the pointer then stays."""
    _adopt(folder, name)
    _write(_home(folder, name) / version, files)
    point(folder, name, version)


def point(folder: Path, name: str, version: str) -> None:
    """Let NAME.npz be that version, which must be there, and remember which one it was before."""
    home = _home(folder, name)
    before = _target(home / CURRENT)
    if before not in (None, version):
        _link(home / PREVIOUS, str(before))
    _link(home / CURRENT, version)
    for suffix in SUFFIXES:
        target = f"{FOLDER}/{name}/{CURRENT}/{name}{suffix}"
        if _target(folder / f"{name}{suffix}") != target:
            _link(folder / f"{name}{suffix}", target)


def rollback(folder: Path, name: str, version: str | None = None) -> Artifact:
    """Point at an older version, by default the one that served before, and return it.

    Rolling back twice comes back to where it began. Raises TrainerError where there is no such
    version, RefusedError if it fails its own check; the pointer then stays.
    """
    home = _home(folder, name)
    # A plain file that was put over the link is in front of the pointer, not behind it.
    replaced = home.is_dir() and not (folder / f"{name}.npz").is_symlink()
    wanted = version or _target(home / (CURRENT if replaced else PREVIOUS))
    known = [one.version for one in versions(folder, name)]
    if wanted not in known:
        listed = f"kept are: {', '.join(known)}" if known else "no version is kept, see publish --keep"
        missing = f"no version {wanted}" if wanted else "no version before this one"
        raise TrainerError(f"{folder} has {missing} of {name}; {listed}")
    try:
        artifact = load(home / wanted / f"{name}.npz")
        Classifier(artifact).self_check()
    except ArtifactError as error:
        raise RefusedError(f"{name} was not rolled back to {wanted}: {error}") from error
    try:
        _adopt(folder, name)
        point(folder, name, wanted)
    except OSError as error:
        raise TrainerError(f"{folder} cannot be written: {error.strerror}. Nothing was changed") from error
    return artifact


def versions(folder: Path, name: str) -> list[Version]:
    """Return the complete versions in a folder, the one published last first."""
    home = _home(folder, name)
    current, previous = _target(home / CURRENT), _target(home / PREVIOUS)
    found = []
    for path in home.glob(f"[!.]*/{name}.npz"):
        version = path.parent.name
        if version not in (CURRENT, PREVIOUS):
            published = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            found.append(Version(version, published, version == current, version == previous))
    return sorted(found, key=lambda one: one.published, reverse=True)


def prune(folder: Path, name: str, keep: int) -> None:
    """Remove the oldest versions but for `keep`, never one that the pointer is at or was at last."""
    wanted = sorted(versions(folder, name), key=lambda one: (one.current, one.previous), reverse=True)
    for one in wanted[max(keep, 2) :]:
        shutil.rmtree(_home(folder, name) / one.version)


def _home(folder: Path, name: str) -> Path:
    return folder / FOLDER / name


def _target(link: Path) -> str | None:
    """Return what a link says; None for a file of another kind, or none."""
    return os.readlink(link) if link.is_symlink() else None


def _link(link: Path, target: str) -> None:
    """Let a link say `target`, in one step: it is never missing."""
    neighbour = link.with_name(f".{link.name}.{os.getpid()}.tmp")
    neighbour.unlink(missing_ok=True)  # of a process that died and had our number
    try:
        neighbour.symlink_to(target)
        os.replace(neighbour, link)
    finally:
        neighbour.unlink(missing_ok=True)
    descriptor = os.open(link.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # after a power cut the pointer is where the log says it was
    finally:
        os.close(descriptor)


def _write(home: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of one version; nobody looks there before the pointer moves."""
    home.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        save(home / file, content)


def _adopt(folder: Path, name: str) -> None:
    """Make the plain files that serve now a version too, so that one can roll back to them."""
    plain = folder / f"{name}.npz"
    if plain.is_symlink() or not plain.exists():
        return
    try:
        version = load(plain).version
    except ArtifactError:
        return  # the service refuses it as well
    files = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    home = _home(folder, name) / version
    _write(home, {file.name: file.read_bytes() for file in files if file.is_file()})
    os.utime(home / plain.name, ns=(plain.stat().st_atime_ns, plain.stat().st_mtime_ns))
    point(folder, name, version)
