"""Versions of a model in one folder, and the pointer to the one that serves.

    NAME.npz -> .versions/NAME/current/NAME.npz          likewise NAME.npz.sha256 and NAME.md
                .versions/NAME/current -> 1a2b3c4d5e6f   the pointer: moved by one rename
                .versions/NAME/1a2b3c4d5e6f/NAME.npz     never changed once the pointer leads here
                .versions/NAME/previous -> ...           where the pointer was before

Links are relative, so the folder can be mounted anywhere. They are on one file system, where a rename is
atomic: a reader of NAME.npz gets one version or the other. A rollback moves the pointer. A file system
without symbolic links is refused.
"""

import errno
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from service.model.artifact import Artifact, load, save
from service.model.classifier import Classifier
from service.model.errors import ArtifactError
from trainer.errors import RefusedError, TrainerError

FOLDER = ".versions"  # hidden: the service ignores names that begin with a dot
CURRENT, PREVIOUS = "current", "previous"
SUFFIXES = (".md", ".npz.sha256", ".npz")


class Version(NamedTuple):
    """One version in a folder: when it was published, and whether it serves now or served before."""

    version: str
    published: datetime
    current: bool
    previous: bool


def add_version(folder: Path, name: str, version: str, files: Mapping[str, bytes]) -> None:
    """Write the files of a version, then move the pointer to it.

    files: file name -> content. Raises OSError if a file cannot be written, TrainerError if the folder takes
    no symbolic links; the pointer then stays.
    """
    _require_links(folder)
    _adopt(folder, name)
    _write(_home(folder, name) / version, files)
    point(folder, name, version)


def point(folder: Path, name: str, version: str) -> None:
    """Make NAME.npz lead to an existing version, and record the one before. Raises OSError."""
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
    """Move the pointer to an older version, by default the one that served before, and return it.

    Two rollbacks restore the first state. Raises TrainerError if there is no such version or the folder
    cannot be written, RefusedError if the version fails its self-check; the pointer then stays.
    """
    home = _home(folder, name)
    # If a plain file has replaced the link, it serves. The version before it is then the current one.
    replaced = home.is_dir() and not (folder / f"{name}.npz").is_symlink()
    wanted = version or _target(home / (CURRENT if replaced else PREVIOUS))
    known = [one.version for one in list_versions(folder, name)]
    if not known:
        raise TrainerError(_nothing_kept(folder, name))
    if wanted not in known:
        missing = f"no version {wanted}" if wanted else "no version before this one"
        raise TrainerError(f"{folder} has {missing} of {name}; kept: {', '.join(known)}")
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


def remove(folder: Path, name: str) -> int:
    """Remove a model and all its versions, so that a service no longer serves it; return how many were kept.

    Raises TrainerError if there is no such model or the folder cannot be written.
    """
    files = [folder / f"{name}{suffix}" for suffix in (*reversed(SUFFIXES), ".notes.md")]
    home = _home(folder, name)
    there = [file for file in files if file.is_symlink() or file.exists()]
    if not there and not home.is_dir():
        names = sorted({path.stem for path in folder.glob("[!.]*.npz")})
        raise TrainerError(f"{folder} has no model {name}; it has {', '.join(names) or 'none'}")
    kept = len(list_versions(folder, name))
    try:
        for file in there:  # the model first: the service watches it
            file.unlink()
        if home.is_dir():
            shutil.rmtree(home)
    except OSError as error:
        raise TrainerError(f"{folder} cannot be written: {error.strerror}") from error
    return kept


def list_versions(folder: Path, name: str) -> list[Version]:
    """Return the complete versions in a folder, newest first."""
    home = _home(folder, name)
    current, previous = _target(home / CURRENT), _target(home / PREVIOUS)
    found = []
    for path in home.glob(f"[!.]*/{name}.npz"):
        version = path.parent.name
        if version not in (CURRENT, PREVIOUS):
            published = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            found.append(Version(version, published, version == current, version == previous))
    return sorted(found, key=lambda one: one.published, reverse=True)


def prune_versions(folder: Path, name: str, keep: int) -> None:
    """Remove all but the newest `keep` versions, never the current or the previous one."""
    wanted = sorted(list_versions(folder, name), key=lambda one: (one.current, one.previous), reverse=True)
    for one in wanted[max(keep, 2) :]:
        shutil.rmtree(_home(folder, name) / one.version)


def _nothing_kept(folder: Path, name: str) -> str:
    """Return the message that says why there is nothing to roll back to."""
    if (folder / f"{name}.npz").exists():
        return (
            f"nothing was rolled back: {folder} has only the first version of {name}. "
            "The first model that is published with --keep becomes the second"
        )
    return f"nothing was rolled back: {folder} has no model {name}"


def _require_links(folder: Path) -> None:
    """Raise TrainerError if the folder's file system has no symbolic links, like SMB without `mfsymlinks`."""
    trial = folder / f".links.{os.getpid()}.tmp"
    trial.unlink(missing_ok=True)
    try:
        trial.symlink_to("nowhere")
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EIO):
            raise
        raise TrainerError(
            f"{folder} takes no symbolic links ({error.strerror}), which --keep needs. "
            "Nothing was published. Use a volume that has them (SMB: mount option mfsymlinks), or --keep 0"
        ) from error
    finally:
        trial.unlink(missing_ok=True)


def _home(folder: Path, name: str) -> Path:
    return folder / FOLDER / name


def _target(link: Path) -> str | None:
    """Return the target of a link; None if it is not a link."""
    return os.readlink(link) if link.is_symlink() else None


def _link(link: Path, target: str) -> None:
    """Make a link lead to `target` in one step, so that it is never missing."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # left by a dead process with our process id
    try:
        temporary.symlink_to(target)
        os.replace(temporary, link)
    finally:
        temporary.unlink(missing_ok=True)
    descriptor = os.open(link.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # so that the pointer survives a power cut
    finally:
        os.close(descriptor)


def _write(home: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of one version, which no reader opens before the pointer moves."""
    home.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        save(home / file, content)


def _adopt(folder: Path, name: str) -> None:
    """Turn the plain files that serve now into a version, so that a rollback can return to them."""
    plain = folder / f"{name}.npz"
    if plain.is_symlink() or not plain.exists():
        return
    try:
        version = load(plain).version
    except ArtifactError:
        return  # the service refuses it too
    files = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    home = _home(folder, name) / version
    _write(home, {file.name: file.read_bytes() for file in files if file.is_file()})
    os.utime(home / plain.name, ns=(plain.stat().st_atime_ns, plain.stat().st_mtime_ns))
    point(folder, name, version)
