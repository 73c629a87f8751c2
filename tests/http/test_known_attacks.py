"""Requests that once killed a worker, were answered twice or ended as an error of the service."""

import time

import pytest
import requests

from tests.drawing import digit_png
from tests.serving import Server
from tests.sockets import Answer, exchange, post

IMAGE = digit_png(7)
CHUNKED = "Transfer-Encoding: chunked"
NEXT = b"GET /models/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
SPACES = 8000
FOREIGN_HOST = "foreign.example"


def head(*fields: str, line: str = "POST /predict HTTP/1.1") -> bytes:
    return "".join(f"{text}\r\n" for text in [line, *fields, ""]).encode()


def only_answer(service: Server, data: bytes) -> Answer:
    """Return the answer to bytes that get one and no other, and after which the connection ends."""
    (answer,) = exchange(service, data)
    assert answer.closed
    return answer


def test_spaces_before_a_bare_cr_are_refused_at_once(service: Server):
    started = time.perf_counter()
    spaces = "Content-Length: " + " " * SPACES + "\rX"
    answer = only_answer(service, head("Host: x", spaces, line="POST / HTTP/1.1"))
    assert answer.status == 400
    assert time.perf_counter() - started < 0.5


def test_spaces_in_the_headers_of_parts_take_milliseconds(service: Server):
    part = b'--b\r\nContent-Disposition: form-data; name="t";a=' + b" " * SPACES + b'x"\r\n\r\n1\r\n'
    body = part * 8 + b"--b--\r\n"
    data = post(body, content_type="multipart/form-data; boundary=b", Connection="close")
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        (answer,) = exchange(service, data)
        seconds.append(time.perf_counter() - started)
        assert answer.status in (200, 400, 413)
    assert min(seconds) < 0.05


@pytest.mark.parametrize("zeros", [0, 3, 16, 17, 18, 23, 100])
def test_a_length_with_leading_zeros_frames_its_body(service: Server, zeros: int):
    length = f"Content-Length: {'0' * zeros}{len(NEXT)}"
    (answer,) = exchange(service, head("Host: x", length, "Connection: close") + NEXT)
    assert answer.status >= 400
    assert b"hidden" not in answer.body


@pytest.mark.parametrize("coding", ["identity, chunked", "identity", "gzip, chunked", "xchunked"])
def test_a_coding_other_than_chunked_is_refused(service: Server, coding: str):
    body = b"5\r\nhello\r\n0\r\n\r\n"
    answer = only_answer(service, head("Host: x", f"Transfer-Encoding: {coding}") + body + NEXT)
    assert answer.status in (400, 501)


@pytest.mark.parametrize("size", ["FFFFFFFFFFFFFFFF0", "10000000000000005", "9" * 100])
def test_a_chunk_size_beyond_64_bits_is_refused(service: Server, size: str):
    data = head("Host: x", "Content-Type: image/png", CHUNKED) + f"{size}\r\nhello\r\n0\r\n\r\n".encode()
    assert only_answer(service, data + NEXT).status == 400


def test_an_unknown_expectation_is_refused_with_417(service: Server):
    data = head("Host: x", "Expect: 200-ok", "Content-Length: 5") + b"hello"
    assert only_answer(service, data + NEXT).status == 417


@pytest.mark.parametrize("hosts", [[], ["Host: a", "Host: b"], ["Host: a", "Host: a"]])
def test_a_request_names_exactly_one_host(service: Server, hosts: list[str]):
    assert only_answer(service, head(*hosts, line="GET /livez HTTP/1.1") + NEXT).status == 400


def routes(service: Server) -> list[tuple[str, str]]:
    """Return method and path of every documented route."""
    paths = requests.get(f"{service.url}/openapi.json", timeout=30).json()["paths"]
    filled = {path: path.replace("{", "").replace("}", "") for path in paths}
    return [(method.upper(), filled[path]) for path, methods in paths.items() for method in methods]


@pytest.mark.parametrize("slashes", ["//", "///", "/.//"])
def test_more_slashes_are_the_same_route_or_none(service: Server, slashes: str):
    found = [*routes(service), ("GET", "/"), ("GET", "/metrics"), ("POST", "/nothing")]
    assert len(found) > 10
    for method, path in found:
        for doubled in (slashes + path[1:], path.replace("/", slashes), path + slashes[1:]):
            once, more = (
                exchange(
                    service,
                    f"{method} {address} HTTP/1.1\r\nHost: {FOREIGN_HOST}\r\nConnection: close\r\n"
                    "Content-Type: image/png\r\nContent-Length: 5\r\n\r\nhello".encode(),
                )
                for address in (path, doubled)
            )
            assert more[0].status in (once[0].status, 308, 404, 405), f"{method} {doubled}"
            assert FOREIGN_HOST not in more[0].headers.get("location", ""), f"{method} {doubled}"


@pytest.mark.parametrize("content_type", ["application/octet-stream", "image/png"])
def test_a_part_of_image_type_needs_no_file_name(service: Server, content_type: str):
    fields = f'Content-Disposition: form-data; name="file"\r\nContent-Type: {content_type}\r\n\r\n'
    body = b"--b\r\n" + fields.encode() + IMAGE + b"\r\n--b--\r\n"
    data = post(body, content_type="multipart/form-data; boundary=b", Connection="close")
    (answer,) = exchange(service, data)
    assert answer.status == 200
    assert b'"digit":7' in answer.body.replace(b" ", b"")


def test_an_offer_to_upgrade_leaves_the_body_alone(service: Server):
    # As Java's HttpClient sends its first request, unless it is told not to.
    offer = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA",
    }
    data = post(IMAGE, **offer)
    for pieces in ([data], [data[: -len(IMAGE)], IMAGE], [data[:-50], data[-50:]]):
        (answer,) = exchange(service, *pieces)
        assert answer.status == 200


def test_a_request_in_the_body_of_an_upgrade_is_not_answered(service: Server):
    offer = {"Connection": "Upgrade", "Upgrade": "made-up"}
    data = post(NEXT, **offer)
    for pieces in ([data], [data[: -len(NEXT)], NEXT]):
        assert len(exchange(service, *pieces)) == 1


def test_a_trailer_is_not_taken_for_a_header(service: Server):
    body = b"1\r\nx\r\n0\r\nX-Request-Id: of-the-trailer\r\n\r\n"
    (answer,) = exchange(service, head("Host: x", "Connection: close", CHUNKED) + body)
    assert answer.headers["x-request-id"] != "of-the-trailer"
