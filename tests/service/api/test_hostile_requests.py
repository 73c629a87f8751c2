"""Requests that break HTTP, or its limits: each gets its error as a problem, and the connection closes.

Real gunicorn, real sockets: what is sent here, no client library would send.
"""

import gzip
import json
import socket

import pytest
import requests

from tests.drawing import digit_png
from tests.serving import Server
from tests.sockets import connect, exchange, post, read_all, split

MEBIBYTE = 1024 * 1024
IMAGE = digit_png(7)
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def closing(request_bytes: bytes) -> bytes:
    """Return a request that asks for the connection to be closed."""
    return request_bytes.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def post_chunked(body: bytes, *more: bytes) -> bytes:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n"
    return head + b"".join(line + b"\r\n" for line in more) + b"\r\n" + body


SMUGGLING = {
    "length and chunks": post_chunked(chunked(IMAGE), b"Content-Length: 5"),
    "chunks and length": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc",
    "two equal lengths": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    b"Content-Length: 3\r\n\r\nabc",
    "list of lengths": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
    "negative length": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "signed length": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
    "length in words": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: three\r\n\r\nabc",
    "length in hexadecimal": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc",
    "space before the colon": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc",
    "folded header": b"POST /predict HTTP/1.1\r\nHost: x\r\nX-A: b\r\n Content-Length: 3\r\n\r\nabc",
    "folded coding": b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "coding twice": post_chunked(chunked(IMAGE), b"Transfer-Encoding: chunked"),
    "chunked not last": b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"
    b"0\r\n\r\n",
    "unknown coding": b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding hidden by a tab": b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\x0bchunked\r\n\r\n"
    b"0\r\n\r\n",
    "chunks in HTTP/1.0": post_chunked(chunked(IMAGE)).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "chunk size in words": post_chunked(b"zz\r\nabc\r\n0\r\n\r\n"),
    "negative chunk": post_chunked(b"-1\r\nabc\r\n0\r\n\r\n"),
    "prefixed chunk size": post_chunked(b"0x3\r\nabc\r\n0\r\n\r\n"),
    "chunk larger than its size": post_chunked(b"3\r\nabcdef\r\n0\r\n\r\n"),
    "chunk line ending in LF": post_chunked(b"3\nabc\n0\n\n" + b"\r\n"),
    "bare LF": b"GET /livez HTTP/1.1\nHost: x\n\n",
    "NUL in a header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
    "space in a header's name": b"GET /livez HTTP/1.1\r\nHost: x\r\nX A: b\r\n\r\n",
    "two hosts": b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "no such protocol": b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "lower-case method": b"get /livez HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("kind", SMUGGLING)
def test_ambiguous_framing_is_refused_and_the_connection_closed(service, kind):
    # A request hidden behind the odd one must not be answered.
    answers = exchange(service, SMUGGLING[kind] + b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
    (answer,) = answers
    assert answer.status == (501 if kind == "unknown coding" else 400), kind
    assert answer.closed
    assert answer.headers["connection"] == "close"
    assert answer.problem["status"] == answer.status
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 70_000, 431),
        (b"GET /" + b"a" * 70_000, 414),
    ],
    ids=["long address", "long header", "many headers", "endless header", "endless address"],
)
def test_heads_beyond_the_limits_are_refused(service, request_bytes, status):
    (answer,) = exchange(service, request_bytes)
    assert answer.status == status
    assert answer.problem["status"] == status
    assert answer.closed


def test_chunks_in_pieces_of_any_size_are_read_like_a_whole(service):
    whole = closing(post_chunked(chunked(*[IMAGE[at : at + 11] for at in range(0, len(IMAGE), 11)])))
    for step in (7, 1000):
        pieces = [whole[start : start + step] for start in range(0, len(whole), step)]
        (answer,) = exchange(service, *pieces)
        assert json.loads(answer.body)["digit"] == 7
    with_more = chunked(IMAGE, end=b"0\r\nX-Trailer: a\r\n\r\n").replace(b"\r\n", b";ext=1\r\n", 1)
    answers = exchange(service, post_chunked(with_more) + closing(GET))
    assert [answer.status for answer in answers] == [200, 200]


@pytest.mark.parametrize("framing", ["length", "chunks", "small chunks"])
def test_client_that_sends_64_megabytes_first_sees_the_413(service, framing):
    piece = b"x" * MEBIBYTE
    with connect(service, timeout=60) as connection:
        if framing == "length":
            head = post(b"", Content_Length=str(64 * MEBIBYTE))
        else:
            head = post_chunked(b"")
            piece = chunked(piece, end=b"") if framing == "chunks" else b"1\r\nx\r\n" * (MEBIBYTE // 6)
        connection.sendall(head)
        for _ in range(64):
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        (answer,) = split(*read_all(connection))
    assert answer.status == 413
    assert "larger than 10485760 bytes" in answer.problem["detail"]
    assert answer.headers["connection"] == "close"


def test_a_client_that_asks_first_is_told_413_without_sending(service):
    with connect(service) as connection:
        connection.sendall(post(b"", Content_Length=str(64 * MEBIBYTE), Expect="100-continue"))
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_body_shorter_than_its_length_is_no_request(service):
    with connect(service) as connection:
        connection.sendall(post(IMAGE, Content_Length="100000"))
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == (b"", True)


def test_rest_of_a_body_beyond_its_length_is_a_bad_request(service):
    first, second = exchange(service, post(IMAGE + b"rubbish\r\n\r\n", Content_Length=str(len(IMAGE))))
    assert (first.status, second.status) == (200, 400)
    assert second.closed


def test_too_many_parts_are_refused(service):
    files = [("file", (f"{index}.png", b"x")) for index in range(300)]
    response = requests.post(f"{service.url}/predict/batch", files=files, timeout=30)
    assert response.status_code == 413
    assert "more than 264 parts" in response.json()["detail"]


class TestV2:
    def infer(self, service: Server, body: bytes, **headers: str) -> requests.Response:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{service.url}/v2/models/mnist-28x28/infer"
        return requests.post(url, data=body, headers=headers, timeout=30)

    def test_a_bomb_in_gzip_is_refused_before_it_is_all_inflated(self, service):
        bomb = gzip.compress(b" " * (50 * MEBIBYTE), 1)
        response = self.infer(service, bomb, Content_Encoding="gzip")
        assert response.status_code == 413
        assert "inflated body is larger than 10485760" in response.json()["error"]

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000,
            b'{"inputs":' * 50_000,
            json.dumps({"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1]}]}).encode()[:-2]
            + b', "data": '
            + b"[" * 50_000
            + b"]" * 50_000
            + b"}]}",
            b'{"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 784], "data": [1e999]}]}',
            b'{"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [' + b"9" * 5000 + b"]}]}",
            b"\xff\xfe",
            b"null",
        ],
        ids=["deep list", "deep object", "deep data", "infinity", "huge number", "no text", "null"],
    )
    def test_json_that_is_deep_huge_or_none_is_a_bad_request(self, service, body):
        response = self.infer(service, body)
        assert response.status_code == 400
        assert response.json()["error"]


@pytest.mark.parametrize(
    "request_bytes",
    [GET,
     *(GET.replace(b"/livez", path) for path in (b"/", b"/docs", b"/nothing", b"/predict", b"/v2/models")),
     post(IMAGE), post(b"x"), b"rubbish\r\n\r\n"],
    ids=["livez", "page", "docs", "404", "405", "v2", "prediction", "problem", "unreadable"],
)  # fmt: skip
def test_every_answer_has_its_security_headers(service, request_bytes):
    (answer,) = exchange(service, closing(request_bytes))
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "geolocation=()" in headers["permissions-policy"]
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert not any(character.isdigit() for character in headers.get("server", ""))


def test_nothing_of_this_was_an_error_of_the_service(service):
    assert service.metric("http_requests_total", status="500") == 0
    assert not [line for line in service.log_lines() if line["level"] == "error"]


def test_badly_framed_unread_body_ends_the_connection(service):
    # A length among the trailers: what comes after it could be read in two ways.
    wrong = b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    wrong += chunked(b"abc", end=b"0\r\nContent-Length: 5\r\n\r\n")
    right = wrong.replace(b"Content-Length: 5\r\n", b"")
    assert [answer.status for answer in exchange(service, wrong + GET)] == [400]
    assert [answer.status for answer in exchange(service, right + GET)] == [404, 200]
