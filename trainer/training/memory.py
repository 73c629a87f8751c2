"""Freed memory is kept for the next array instead of being handed back to the system.

Every batch makes and drops the same arrays of a megabyte or so. By default glibc returns each to the
kernel and fetches it again, page by page: that took more than half of the time of distortion.
"""

import contextlib
import ctypes

# Of <malloc.h>. The first is also the largest array that is kept, which glibc limits to 32 MiB.
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1
LARGEST_KEPT_BYTES = 32 * 1024 * 1024
ALL_KEPT_BYTES = 512 * 1024 * 1024


def keep_freed_memory() -> None:
    """Ask glibc to keep freed memory for this process; elsewhere nothing happens."""
    with contextlib.suppress(AttributeError, OSError):  # not glibc
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, ALL_KEPT_BYTES)
