"""Image files and requests damaged at random, and what a longer fuzzing has found, get no 5xx."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.model.artifact import parse
from service.model.errors import ArtifactError
from tests.fuzz.mutations import PNG_SIGNATURE, seed_files, with_right_checksums
from tests.serving import PROJECT, Server

FOUND = PROJECT / "tests/hostile"
SEEDS = seed_files()
LONGEST_SECONDS = 2.0  # of the worker's own clock, so that a busy machine does not fail the test

# The same files every time: what lands is not a matter of luck. `python -m tests.fuzz` goes on from here.
FUZZED = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """Draw an image file with bytes changed, removed, doubled or put in."""
    data = bytearray(SEEDS[draw(st.sampled_from(sorted(SEEDS)))])
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, max(0, len(data) - 1)))
        end = start + draw(st.integers(0, 8))
        how = draw(st.sampled_from(["change", "remove", "double", "insert", "extreme"]))
        if how == "change":
            data[start:end] = draw(st.binary(min_size=end - start, max_size=end - start))
        elif how == "remove":
            del data[start:end]
        elif how == "double":
            data[end:end] = data[start:end] * draw(st.integers(1, 20))
        elif how == "insert":
            data[start:start] = draw(st.binary(max_size=16))
        else:
            data[start : start + 4] = draw(st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff"]))
    return with_right_checksums(bytes(data))


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def assert_bearable(session: requests.Session, service: Server, path: str, data: bytes, kind: str) -> None:
    started = time.monotonic()
    response = session.post(service.url + path, data=data, headers={"Content-Type": kind}, timeout=60)
    assert response.status_code < 500, response.text
    json.loads(response.content)
    if time.monotonic() - started > LONGEST_SECONDS:
        identity = response.headers["X-Request-Id"]
        (line,) = [line for line in service.log_lines() if line.get("request_id") == identity]
        assert line["milliseconds"] < 1000 * LONGEST_SECONDS


@FUZZED
@given(data=damaged_files())
@example(data=PNG_SIGNATURE + struct.pack(">I", 0xFFFFFFFF) + b"IHDR")
@example(data=b"BM" + b"\xff" * 60)
@example(data=b"GIF89a" + b"\xff" * 20)
@example(data=b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff")
def test_a_damaged_image_gets_an_answer_below_500(service, session, data):
    assert_bearable(session, service, "/predict", data, "image/png")


@FUZZED
@given(data=st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([
    b"--x", b"--x--", b"\r\n", b"\r\n\r\n", b"--x\r\n", b'Content-Disposition: form-data; name="file"',
    b'; filename="a"', b"; filename*=UTF-8''%ff", b'; name="', b"\\", b";", b"Content-Type: image/png",
    b"Content-Transfer-Encoding: base64", b"\n", b"\x00", b" ", SEEDS["grey.png"],
])), max_size=14).map(b"".join))  # fmt: skip
def test_a_form_of_any_bytes_gets_an_answer_below_500(service, session, data):
    assert_bearable(session, service, "/predict/batch", data, "multipart/form-data; boundary=x")


def found(kind: str) -> list[Path]:
    return sorted((FOUND / kind).iterdir())


@pytest.mark.parametrize("path", found("forms"), ids=lambda path: path.name)
def test_forms_that_fuzzing_found_get_an_answer_below_500(service, session, path):
    kind = "multipart/form-data; boundary=fuzz"
    assert_bearable(session, service, "/predict/batch", path.read_bytes(), kind)


@pytest.mark.parametrize("path", found("images"), ids=lambda path: path.name)
def test_images_kept_from_fuzzing_are_answered_below_500(service, session, path):
    assert_bearable(session, service, "/predict", path.read_bytes(), "image/png")


@pytest.mark.parametrize("path", found("models"), ids=lambda path: path.name)
def test_model_files_that_fuzzing_found_are_refused_and_not_more(path):
    with pytest.raises(ArtifactError):
        parse(path.read_bytes())
