"""The MNIST download: four files, verified, resumed and retried.

mirrors -> NAME.gz.part -> SHA-256 of the uncompressed content -> NAME.gz
"""

import gzip
import hashlib
import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from trainer.errors import TrainerError

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
)
# Of the uncompressed content: mirrors compress differently.
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
ATTEMPTS = 3
TIMEOUT_SECONDS = (10, 30)  # to connect; between two reads of the body
PAUSE_SECONDS = 1.0
MAX_BYTES = 64 * 1024 * 1024  # six times the largest file: guards against an endless response


def fetch_mnist(
    folder: Path,
    mirrors: Sequence[str],
    sha256: dict[str, str] = MNIST_SHA256,
    pause_seconds: float = PAUSE_SECONDS,
    timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
) -> None:
    """Download the four files into `folder`, skipping those that are there and correct.

    mirrors: base URLs, each tried ATTEMPTS times; a broken download resumes where it stopped. sha256:
    file name -> digest of the uncompressed content. pause_seconds: before the second attempt, doubled
    before the third. timeout_seconds: to connect, and between two reads. Raises TrainerError if a file
    cannot be fetched or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, digest in sha256.items():
            target = folder / f"{name}.gz"
            if not (target.exists() and _digest(target) == digest):
                _fetch(target, digest, mirrors, pause_seconds, timeout_seconds)
    except OSError as error:
        raise TrainerError(f"{folder} cannot be written: {error.strerror or error}") from error


def _fetch(
    target: Path,
    digest: str,
    mirrors: Sequence[str],
    pause_seconds: float,
    timeout_seconds: tuple[float, float],
) -> None:
    reasons = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{target.name}"
        for attempt in range(ATTEMPTS):
            time.sleep(pause_seconds * attempt)
            try:
                part = _download(url, target, timeout_seconds)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                reasons.append(f"{url}: {_short(error)}")
                continue
            if _digest(part) == digest:
                os.replace(part, target)
                return
            part.unlink()  # complete but wrong: resuming it would not help
            reasons.append(f"{url}: the content's SHA-256 is not the expected one")
    raise TrainerError(
        f"{target.name} could not be fetched ({reasons[-1]}). Check the network or name a --mirror URL"
    )


def _download(url: str, target: Path, timeout_seconds: tuple[float, float]) -> Path:
    """Return the complete part file, resuming what an earlier attempt left."""
    part = target.with_name(f"{target.name}.part")
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=timeout_seconds) as response:
        if response.status_code == 416:  # no further bytes: our part is complete, or of another file
            return part
        response.raise_for_status()
        continued = response.status_code == 206
        total = int(response.headers.get("Content-Length", 0)) + (have if continued else 0)
        with (
            open(part, "ab" if continued else "wb") as file,
            tqdm(
                total=total or None,
                initial=have if continued else 0,
                desc=target.name,
                unit="B",
                unit_scale=True,
            ) as bar,
        ):
            # Some mirrors declare a .gz file as Content-Encoding; decoding would unpack it.
            for piece in response.raw.stream(64 * 1024, decode_content=False):
                file.write(piece)
                bar.update(len(piece))
                if file.tell() > MAX_BYTES:
                    raise requests.RequestException(f"more than {MAX_BYTES} bytes received")
            written = file.tell()
    if total and written != total:
        raise requests.RequestException(f"{written} of {total} bytes received")
    return part


def _short(error: Exception) -> str:
    """Return the innermost cause of a chain of network errors, in a few words."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(error) or type(error).__name__


def _digest(path: Path) -> str:
    """Return the SHA-256 of a gzip file's uncompressed content, or "" if the file is broken."""
    digest = hashlib.sha256()
    try:
        with gzip.open(path) as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except (OSError, EOFError, zlib.error):
        return ""
    return digest.hexdigest()
