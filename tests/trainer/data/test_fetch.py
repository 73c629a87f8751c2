"""Downloads end with the right bytes or with one clear line."""

import contextlib
import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from trainer.data import fetch_mnist
from trainer.errors import TrainerError

CONTENT = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8).tobytes()
PACKED = gzip.compress(CONTENT, mtime=0)
SHA256 = {"images": hashlib.sha256(CONTENT).hexdigest()}
Behaviour = Callable[[BaseHTTPRequestHandler, int], None]  # gets the handler and how often it was asked


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in ({"Content_Length": str(len(body))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def start_of(handler: BaseHTTPRequestHandler) -> int:
    """Return the first byte that the client asks for."""
    return int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


def send_range(handler: BaseHTTPRequestHandler, body: bytes = PACKED) -> None:
    start = start_of(handler)
    if start >= len(body):
        send(handler, b"", 416)
    elif start:
        send(handler, body[start:], 206, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
    else:
        send(handler, body)


@contextlib.contextmanager
def mirror(behaviour: Behaviour) -> Iterator[tuple[str, list[int]]]:
    """Run an HTTP server; yield its address and, filled as requests come, their first bytes."""
    asked: list[int] = []
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(start_of(self))
            self.done = done
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                behaviour(self, len(asked))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            done.set()
            server.shutdown()
            thread.join()


def fetch(folder: Path, *mirrors: str) -> None:
    fetch_mnist(folder, mirrors, SHA256, pause_seconds=0.01, timeout_seconds=(1, 0.3))


def assert_complete(folder: Path) -> None:
    assert gzip.decompress((folder / "images.gz").read_bytes()) == CONTENT
    assert [path.name for path in folder.iterdir()] == ["images.gz"]


def test_file_is_fetched_and_not_fetched_again(tmp_path: Path) -> None:
    with mirror(lambda handler, _: send_range(handler)) as (url, asked):
        fetch(tmp_path / "new" / "folder", url)
        fetch(tmp_path / "new" / "folder", url + "/")
    assert_complete(tmp_path / "new" / "folder")
    assert asked == [0]


def test_damaged_file_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "images.gz").write_bytes(PACKED[:-20])
    with mirror(lambda handler, _: send_range(handler)) as (url, _asked):
        fetch(tmp_path, url)
    assert_complete(tmp_path)


def test_truncated_download_resumes_where_it_stopped(tmp_path: Path) -> None:
    def truncate(handler: BaseHTTPRequestHandler, times: int) -> None:
        if times > 1:
            send_range(handler)
        else:
            send(handler, PACKED[:131_072], Content_Length=str(len(PACKED)))

    with mirror(truncate) as (url, asked):
        fetch(tmp_path, url)
    assert_complete(tmp_path)
    assert asked == [0, 131_072]


def test_stalled_download_is_resumed(tmp_path: Path) -> None:
    def stall(handler: BaseHTTPRequestHandler, times: int) -> None:
        if times > 1:
            send_range(handler)
        else:
            send(handler, PACKED[:65_536], Content_Length=str(len(PACKED)))
            handler.done.wait(5)

    started = time.monotonic()
    with mirror(stall) as (url, asked):
        fetch(tmp_path, url)
    assert_complete(tmp_path)
    assert asked == [0, 65_536]
    assert time.monotonic() - started < 4.5


def test_mirror_without_ranges_is_read_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "images.gz.part").write_bytes(PACKED[:5000])
    with mirror(lambda handler, _: send(handler, PACKED)) as (url, asked):
        fetch(tmp_path, url)
    assert_complete(tmp_path)
    assert asked == [5000]


def test_part_of_another_file_is_discarded(tmp_path: Path) -> None:
    (tmp_path / "images.gz.part").write_bytes(b"something else")
    with mirror(lambda handler, _: send_range(handler)) as (url, asked):
        fetch(tmp_path, url)
    assert_complete(tmp_path)
    assert asked == [14, 0]


def test_complete_part_is_used(tmp_path: Path) -> None:
    (tmp_path / "images.gz.part").write_bytes(PACKED)
    with mirror(lambda handler, _: send_range(handler)) as (url, _asked):
        fetch(tmp_path, url)
    assert_complete(tmp_path)


def test_mirror_that_declares_gzip_as_encoding_works(tmp_path: Path) -> None:
    with mirror(lambda handler, _: send(handler, PACKED, Content_Encoding="gzip")) as (url, _asked):
        fetch(tmp_path, url)
    assert_complete(tmp_path)


def test_mirror_with_wrong_content_is_skipped(tmp_path: Path) -> None:
    lie = gzip.compress(b"other content")
    with (
        mirror(lambda handler, _: send(handler, lie)) as (liar, lies),
        mirror(lambda handler, _: send_range(handler)) as (honest, _asked),
    ):
        fetch(tmp_path, liar, honest)
    assert_complete(tmp_path)
    assert lies == [0, 0, 0]


@pytest.mark.parametrize(
    ("behaviour", "complaint"),
    [
        (lambda handler, _: send(handler, b"<html>hello</html>"), "SHA-256 is not the expected one"),
        (lambda handler, _: send(handler, b"", 404), "404 Client Error"),
        (lambda handler, _: send(handler, b"", 503), "503 Server Error"),
        (lambda handler, _: handler.connection.close(), "could not be fetched"),
    ],
)
def test_failing_mirror_is_one_line_and_leaves_no_file(
    tmp_path: Path, behaviour: Behaviour, complaint: str
) -> None:
    with mirror(behaviour) as (url, _asked), pytest.raises(TrainerError) as caught:
        fetch(tmp_path, url)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_endless_response_is_aborted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.data.fetch.MAX_BYTES", 100_000)
    with (
        mirror(lambda handler, _: send_range(handler)) as (url, _asked),
        pytest.raises(TrainerError) as caught,
    ):
        fetch(tmp_path, url)
    assert "more than 100000 bytes received" in str(caught.value)


def test_missing_network_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"images\.gz could not be fetched .*refused.*--mirror URL"):
        fetch(tmp_path, "http://127.0.0.1:9")


def test_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainerError, match="cannot be written"):
        fetch(tmp_path / "file" / "below", "http://127.0.0.1:9")
