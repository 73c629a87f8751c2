"""Whether two builds of an image hold the same files: paths, kinds, modes, owners, contents; without times.

    docker export CONTAINER > first.tar        (of each build: docker create IMAGE true)
    python -m tests.deploy.same_files first.tar second.tar

two exported file systems -> Entry of each path -> what differs, a line each
"""

import hashlib
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """A file of an image; content: SHA-256 in hex, or where a link leads."""

    kind: str
    mode: str
    owner: tuple[int, int]
    content: str


def entries(archive: Path) -> dict[str, Entry]:
    """Return what an exported file system holds, by path."""
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            data = tar.extractfile(member) if member.isreg() else None
            content = hashlib.file_digest(data, "sha256").hexdigest() if data else member.linkname
            kind = member.type.decode()
            found[member.name] = Entry(kind, f"{member.mode:04o}", (member.uid, member.gid), content)
    return found


def differences(first: dict[str, Entry], second: dict[str, Entry]) -> list[str]:
    """Return a line for each path that is not the same in both."""
    lines = []
    for path in sorted(first.keys() | second.keys()):
        one, two = first.get(path), second.get(path)
        if one is None or two is None:
            lines.append(f"{path}: only in the {'second' if one is None else 'first'}")
        elif one != two:
            changed = [name for name in Entry._fields if getattr(one, name) != getattr(two, name)]
            lines.append(f"{path}: {', '.join(changed)}")
    return lines


def main(first: Path, second: Path) -> int:
    """Print what differs and how many files are the same; return 1 if anything differs."""
    one, two = entries(first), entries(second)
    lines = differences(one, two)
    print(*lines, f"{len(one)} and {len(two)} files, {len(lines)} differ", sep="\n")
    return 1 if lines or not one else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
