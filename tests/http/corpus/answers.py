"""Answers on a connection, and whether they fit the requests that llhttp reads in it."""

import json
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from tests.http.corpus.oracle import Reading, Request


class Answer(NamedTuple):
    """One answer of a server."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        """Whether the server says that no other answer follows."""
        return self.headers.get("connection", "").lower() == "close"


def split(data: bytes, methods: Iterable[str] = ()) -> list[Answer]:
    """Return the whole answers in a stream; those to HEAD have no body, and 1xx are left out."""
    methods = iter(methods)
    answers = []
    while True:
        head, separator, rest = data.partition(b"\r\n\r\n")
        if not separator:
            return answers
        first, *lines = head.decode("latin-1").split("\r\n")
        assert first.startswith(("HTTP/1.0 ", "HTTP/1.1 ")), f"this is not an answer: {head[:200]!r}"
        status = int(first.split()[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert "transfer-encoding" not in headers, "only lengths are understood here"
        if status < 200:
            data = rest
            continue
        length = 0 if next(methods, "") == "HEAD" else int(headers.get("content-length", 0))
        if len(rest) < length:
            return answers
        answers.append(Answer(status, headers, rest[:length]))
        data = rest[length:]


def describe(request: Request) -> dict[str, object]:
    """Return what the echo application answers to a request that it was given as llhttp read it."""
    headers: dict[str, str] = {}
    for name, field in request.headers:
        value = field.strip()
        if "_" not in name and name != "upgrade":  # an underscore could stand for a hyphen
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    return {
        "method": request.method,
        "path": unquote(request.path, errors="replace").encode().decode("latin-1"),
        "query": request.query,
        "headers": headers,
        "body": request.body.decode("latin-1"),
    }


def fit(reading: Reading, answers: list[Answer], closed: bool) -> None:
    """Fail unless the answers are those of a server that frames as llhttp does.

    Answer i belongs to request i. One that refuses is the last, and the connection ends.
    """
    possible = max(len(reading.requests), reading.begun)
    assert len(answers) <= max(1, possible), f"{len(answers)} answers to {possible} requests"
    for number, answer in enumerate(answers):
        assert answer.status < 500 or answer.status in (501, 505), answer
        if answer.status < 400:
            assert number < len(reading.requests), f"an answer to what llhttp refuses: {answer}"
        else:
            assert answer.closes, answer
            assert number == len(answers) - 1, "an answer behind one that refuses"
            assert closed, "the connection stays open after an error"


def echoed(reading: Reading, answers: list[Answer]) -> None:
    """Fail unless every answer that is not a refusal describes its request, byte for byte."""
    for answer, request in zip(answers, reading.requests, strict=False):
        if answer.status < 400:
            assert request.complete, "an answer before the end of the body"
            if request.method != "HEAD":
                assert json.loads(answer.body) == describe(request)
