"""The memory that decoding a file takes, measured in a process of its own.

    python -m tests.service.preprocessing.decoding_peak FOLDER...

A folder has two files of a kind. `small` is decoded first: code and tables that stay are not the picture's.
For each folder, a fork of this process prints two numbers of bytes: by how much the resident memory grew at
its peak for `large`, and `decoding_bytes`. Libraries are imported once; no file leaves memory to the next.
"""

import os
import sys
from pathlib import Path

from service.preprocessing.decoding import open_image


def resident(name: str) -> int:
    """Return VmRSS or VmHWM, its peak, in bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])


def measure(folder: Path) -> None:
    """Print both numbers for the files in a folder."""
    open_image((folder / "small").read_bytes()).decode()
    data = (folder / "large").read_bytes()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    opened = open_image(data)
    opened.decode()
    print(resident("VmHWM") - before, opened.decoding_bytes, flush=True)


def main(folders: list[str]) -> None:
    """Measure one folder after the other; a file that cannot be decoded ends the command."""
    for folder in folders:
        child = os.fork()
        if child == 0:
            measure(Path(folder))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"{folder} could not be measured")


if __name__ == "__main__":
    main(sys.argv[1:])
