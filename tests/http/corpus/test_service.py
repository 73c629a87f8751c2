"""The service answers every case as llhttp frames it, and refuses what it must with a problem.

test_protocol.py looks at the protocol class more closely; here are workers, limits and routes as shipped.
"""

import contextlib
import random
import socket
import time

import pytest

from tests.http.corpus.answers import Answer, split
from tests.http.corpus.cases import LAST, Case, Expected
from tests.http.corpus.oracle import Reading, read
from tests.http.corpus.table import CASES
from tests.serving import Server
from tests.sockets import connect

GRACE_SECONDS = 0.02
BETWEEN_PIECES_SECONDS = 0.002
LONGEST_SECONDS = 3.0


def converse(server: Server, pieces: list[bytes], reading: Reading) -> tuple[list[Answer], bool]:
    """Send pieces; return the answers, and whether the server closed the connection."""
    methods = [request.method for request in reading.requests]
    expected = len(reading.complete) + reading.refused
    received = bytearray()
    closed = False

    def more(seconds: float) -> bool:
        connection.settimeout(seconds)
        try:
            piece = connection.recv(65536)
        except TimeoutError:
            return False
        except ConnectionError:
            piece = b""
        received.extend(piece)
        return bool(piece)

    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
                if len(pieces) > 1:
                    time.sleep(BETWEEN_PIECES_SECONDS)
        while len(split(received, methods)) < expected and more(LONGEST_SECONDS):
            pass
        answers = split(received, methods)
        if not (answers and answers[-1].closes):
            while more(GRACE_SECONDS):  # an answer too many
                pass
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        while more(LONGEST_SECONDS):
            pass
        with contextlib.suppress(TimeoutError, ConnectionError):
            closed = True
            closed = connection.recv(1) == b""
    return split(received, methods), closed


def halves(case: Case) -> list[bytes]:
    """Return the bytes of a case and of the request behind it, cut at one place that depends on the name."""
    data = case.data + LAST
    place = random.Random(case.name).randint(1, len(data) - 1)
    return [data[:place], data[place:]]


def check(case: Case, answers: list[Answer], closed: bool) -> None:
    """Fail unless the answers are what the table and llhttp say of the case."""
    reading = read(case.data + LAST)
    fit_service(reading, answers, closed)
    if case.expected is Expected.ANSWERED:
        assert len(answers) == len(reading.complete), answers
    if case.expected not in (Expected.UNREADABLE, Expected.REFUSED):
        return
    assert answers, "no answer at all"
    assert answers[-1].status >= 400
    assert not any(b"the-last" in answer.body for answer in answers)
    if case.expected is Expected.UNREADABLE:
        assert len(answers) in (len(reading.requests), len(reading.complete) + 1), answers
        if len(reading.requests) > len(reading.complete):
            return  # the route may have answered before the body went wrong
    assert answers[-1].closes
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert answers[-1].headers["x-request-id"]


def fit_service(reading: Reading, answers: list[Answer], closed: bool) -> None:
    """Fail unless answer i can be that of request i."""
    assert closed, "the connection stays open"
    assert len(answers) <= max(1, len(reading.requests), reading.begun), answers
    for number, answer in enumerate(answers):
        assert answer.status < 500 or answer.status in (501, 505), answer
        assert not answer.closes or number == len(answers) - 1, "an answer behind the last one"
        if b"the-last" in answer.body:
            assert reading.complete[number].path == "/models/the-last", "an answer to a hidden request"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_requests_are_answered_as_llhttp_frames_them(service: Server, case: Case):
    reading = read(case.data + LAST)
    for pieces in ([case.data + LAST], halves(case)):
        check(case, *converse(service, pieces, reading))


def test_no_case_was_an_error_of_the_service(service: Server):
    assert not [line for line in service.log_lines() if line["level"] == "error"]
