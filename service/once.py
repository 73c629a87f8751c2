"""What several worker processes see, said by one of them.

    topic, what was seen -> a small file that the workers share, locked -> True for the first

A model file is refused by every worker; the log and the counter shall have it once.
"""

import fcntl
import hashlib
from pathlib import Path

PREFIX = "seen-"


class Once:
    """Remembers the last thing seen of each topic, in a folder or (None) in this process alone."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._seen: dict[str, str] = {}

    def is_first(self, topic: str, seen: str) -> bool:
        """Return whether nobody has come with `seen` as the latest of `topic` before."""
        if self._folder is None:
            first = self._seen.get(topic) != seen
            self._seen[topic] = seen
            return first
        name = PREFIX + hashlib.sha256(topic.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        try:
            with open(self._folder / name, "a+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # given back by the kernel, even after a kill
                file.seek(0)
                if file.read() == seen:
                    return False
                file.truncate(0)
                file.write(seen)
        except OSError:
            pass  # a full disk: better said twice than never
        return True
