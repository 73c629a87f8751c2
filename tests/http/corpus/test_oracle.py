"""The tables say of every case what llhttp makes of it; a new version of llhttp that differs shows here."""

import pytest

from tests.http.corpus.cases import LAST, Case, Expected
from tests.http.corpus.oracle import read
from tests.http.corpus.table import CASES, of


def test_each_case_has_a_name_of_its_own():
    assert len({case.name for case in CASES}) == len(CASES) >= 300


@pytest.mark.parametrize("case", of(Expected.UNREADABLE), ids=lambda case: case.name)
def test_llhttp_refuses_the_unreadable(case: Case):
    assert read(case.data + LAST).refused


@pytest.mark.parametrize("case", of(Expected.UNFINISHED), ids=lambda case: case.name)
def test_llhttp_waits_for_the_rest_of_the_unfinished(case: Case):
    assert read(case.data).unfinished


@pytest.mark.parametrize(
    "case", of(Expected.ANSWERED, Expected.REFUSED, Expected.DEBATABLE), ids=lambda case: case.name
)
def test_llhttp_reads_all_others_to_their_end(case: Case):
    reading = read(case.data)
    assert not reading.refused
    assert not reading.unfinished
    assert reading.complete
