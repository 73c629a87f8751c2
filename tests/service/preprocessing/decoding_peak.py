"""The memory that decoding one file takes, measured in a process of its own.

    python -m tests.service.preprocessing.decoding_peak SMALL LARGE

SMALL, a file of the same kind, is decoded first: code and tables that stay are not the picture's. Prints two
numbers of bytes: by how much the resident memory grew at its peak, and `decoding_bytes`.
"""

import sys
from pathlib import Path

from service.preprocessing.decoding import open_image


def resident(name: str) -> int:
    """Return VmRSS or VmHWM, its peak, in bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])


def main(small: str, large: str) -> None:
    open_image(Path(small).read_bytes()).decode()
    data = Path(large).read_bytes()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    opened = open_image(data)
    opened.decode()
    print(resident("VmHWM") - before, opened.decoding_bytes)


if __name__ == "__main__":
    main(*sys.argv[1:])
