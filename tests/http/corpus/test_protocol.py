"""Protocol class and bridge frame every case as llhttp does, however its bytes are cut."""

import random
from collections.abc import Iterator

import pytest

from tests.http.corpus.answers import echoed, fit
from tests.http.corpus.cases import LAST, Case, Expected
from tests.http.corpus.echo import EchoServer
from tests.http.corpus.oracle import read
from tests.http.corpus.table import CASES

RANDOM_CUTS = 6
LONG = 3000  # longer cases are not cut at every byte


@pytest.fixture(scope="module")
def server() -> Iterator[EchoServer]:
    server = EchoServer()
    yield server
    server.close()


def cuts(data: bytes, name: str) -> Iterator[list[bytes]]:
    """Yield the bytes whole, one by one, and cut at random places."""
    yield [data]
    if len(data) < LONG:
        yield [data[place : place + 1] for place in range(len(data))]
    generator = random.Random(name)
    for _ in range(RANDOM_CUTS):
        count = min(generator.randint(1, 5), len(data) - 1)
        places = sorted(generator.sample(range(1, len(data)), count))
        yield [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_requests_are_framed_as_llhttp_frames_them(server: EchoServer, case: Case):
    data = case.data + LAST
    reading = read(data)
    for pieces in cuts(data, case.name):
        answers, closed = server.converse(pieces, reading)
        statuses = [answer.status for answer in answers]
        fit(reading, answers, closed)
        echoed(reading, answers)
        if case.expected is Expected.ANSWERED:
            assert statuses == [200] * len(reading.complete), pieces
        elif case.expected is Expected.UNREADABLE:
            assert statuses[:-1] == [200] * len(reading.complete), pieces
            assert statuses[-1] >= 400, pieces
