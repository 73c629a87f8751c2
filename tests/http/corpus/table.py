"""All cases, by name."""

from tests.http.corpus import chunks, codings, fields, lengths, lines, sequences
from tests.http.corpus.cases import Case, Expected

CASES: list[Case] = [
    case for module in (lines, fields, lengths, codings, chunks, sequences) for case in module.CASES
]


def of(*expected: Expected) -> list[Case]:
    """Return the cases of which one of these is expected."""
    return [case for case in CASES if case.expected in expected]
