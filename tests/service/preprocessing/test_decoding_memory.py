"""What decoding takes is never more than what was said from the header, and for common files not much less.

`python -m pytest tests/service/preprocessing/test_decoding_memory.py -s` prints the table.
"""

import subprocess
import sys

import pytest

from service.preprocessing.decoding import open_image
from tests.service.preprocessing.large_files import KINDS, picture, tiff
from tests.serving import PROJECT

SIZE = (2016, 1512)  # 3 megapixels; all that grows does so with the pixels
MEBIBYTE = 1024 * 1024
ABOVE = 4 * MEBIBYTE  # what may be missing from the bound: allocators, pages
# Kinds whose bound may be far above: rare ones, and AVIF, whose header does not say that it has only 8 bits.
LOOSE = ("ZSTD", "LZMA", "YCbCr", "a scan for each", "AVIF")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int]]:
    """For each kind, the bytes that decoding took at its peak, and those that were stated."""
    folders = []
    for make in KINDS.values():
        folders.append(tmp_path_factory.mktemp("kind"))
        (folders[-1] / "small").write_bytes(make(64, 48))
        (folders[-1] / "large").write_bytes(make(*SIZE))
    command = [sys.executable, "-m", "tests.service.preprocessing.decoding_peak", *map(str, folders)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, timeout=300, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    return dict(zip(KINDS, lines, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_takes_at_most_the_stated_memory(kind: str, measured: dict[str, tuple[int, int]]) -> None:
    peak, stated = measured[kind]
    print(f"\n| {kind} | {peak / MEBIBYTE:.1f} MiB | {stated / MEBIBYTE:.1f} MiB |", end="")
    assert peak <= stated + ABOVE
    if not any(word in kind for word in LOOSE):
        assert stated <= 2 * peak + ABOVE


def test_a_small_picture_takes_little_memory() -> None:
    assert open_image(KINDS["PNG, RGB"](28, 28)).decoding_bytes < MEBIBYTE


def test_a_tile_larger_than_the_picture_is_counted() -> None:
    tiled = tiff(picture(64, 64, 3), 8, tile=(2048, 2048))
    assert open_image(tiled).decoding_bytes > 3 * 2048 * 2048


def test_a_jpeg_of_unclear_structure_counts_as_progressive() -> None:
    plain = KINDS["JPEG, 4:2:0"](*SIZE)
    odd = plain[:2] + b"\xff\xfe\0\2" * 2000 + plain[2:]  # more comments than are looked through
    assert open_image(plain[:2] + b"\xff\xfe\0\2" + plain[2:]).decoding_bytes < 8 * MEBIBYTE
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.preprocessing.opening._MAX_HEADER_READS", 100_000)
        assert open_image(odd).decoding_bytes > 3 * SIZE[0] * SIZE[1]
