"""Post a dozen at once of the largest pictures of every kind, to see that no worker runs out of memory.

    python -m tests.deploy.image.worst_pictures PORT [HOW_MANY]

kind -> the largest file of it that the shipped limits let in -> a dozen at once -> statuses, and that the
service still answers
"""

import collections
import sys
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.drawing import digit_png
from tests.service.preprocessing.large_files import KINDS

# Largest first; as deploy/base/config.env and the limit of a body have it.
SIZES = ((3600, 3600), (3000, 3000), (2400, 2400), (1800, 1800), (1200, 1200))
LARGEST_BYTES = 10 * 1024 * 1024 - 2000


def largest(kind: str) -> bytes:
    """Return the largest file of a kind that fits into a body."""
    for size in SIZES:
        content = KINDS[kind](*size)
        if len(content) <= LARGEST_BYTES:
            return content
    raise ValueError(f"no file of {kind} is small enough")


def statuses(url: str, image: bytes, how_many: int) -> dict[str, int]:
    """Return how often each status came, or each way in which a connection broke."""

    def post(_: int) -> str:
        try:
            return str(requests.post(f"{url}/predict", files={"file": image}, timeout=120).status_code)
        except requests.RequestException as error:
            return type(error).__name__

    with ThreadPoolExecutor(how_many) as pool:
        return dict(sorted(collections.Counter(pool.map(post, range(how_many))).items()))


def main(port: str, how_many: str = "12") -> int:
    """Print a line for each kind; return 1 where an answer was missing or the service is gone."""
    url, broken = f"http://127.0.0.1:{port}", False
    for kind in KINDS:
        image = largest(kind)
        seen = statuses(url, image, int(how_many))
        well = requests.post(f"{url}/predict", files={"file": digit_png(7)}, timeout=30).json()["digit"] == 7
        broken |= not well or not set(seen) <= {"200", "413", "422", "503"}
        print(f"{kind:40} {len(image) / 2**20:5.1f} MiB  {seen}", flush=True)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
