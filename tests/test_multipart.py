"""Forms, as clients send them and as nobody should."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata
from werkzeug.formparser import FormDataParser

from service.multipart import MAX_HEADER_BYTES, MultipartError, Part, TooManyPartsError, parse_form

TYPE = "multipart/form-data; boundary=b"


def section(
    content: bytes, headers: str = 'Content-Disposition: form-data; name="file"; filename="a"'
) -> bytes:
    return b"--b\r\n" + headers.encode() + b"\r\n\r\n" + content + b"\r\n"


def parse(body: bytes, content_type: str = TYPE, max_parts: int = 10) -> list[Part]:
    return parse_form(body, content_type, max_parts)


def test_files_and_fields_come_in_the_order_sent():
    field = section(b"text", 'Content-Disposition: form-data; name="note"')
    body = section(b"one") + field + section(b"two") + b"--b--\r\n"
    assert parse(body) == [
        Part("file", True, b"one"),
        Part("note", False, b"text"),
        Part("file", True, b"two"),
    ]


@pytest.mark.parametrize("content", [b"", b"\r\n", b"-", b"\r\n--bc\r\n", b"\r\n--b x", bytes(range(256))])
def test_content_is_kept_byte_for_byte_even_where_it_resembles_a_boundary(content):
    assert parse(section(content) + b"--b--")[0].content == content


@pytest.mark.parametrize(
    "disposition",
    [
        'form-data; name="file"; filename="a.png"',
        'form-data; filename="a.png"; name="file"',
        "form-data; name=file; filename=a.png",
        "form-data;name=file;filename=",
        'FORM-DATA; NAME="file"; FILENAME=""',
        'form-data; name="file"; filename="quote \\" and ; name=\\"x\\".png"',
        "form-data; name=\"file\"; filename*=utf-8''%e2%82%ac.png",
        'form-data; name="file"; filename="drei äöü.png"',
        'form-data; name="file";\r\n filename="a.png"',
        'form-data; filename="C:\\"; name="file"',
        'form-data; name="file"; filename="\\"',
    ],
)
def test_a_file_is_known_by_its_file_name_however_it_is_written(disposition):
    (part,) = parse(section(b"x", f"content-disposition : {disposition}\r\nX-More: 1") + b"--b--")
    assert part == Part("file", True, b"x")


@pytest.mark.parametrize("boundary", ['"b"', "b", "b; charset=utf-8", 'b ; x="y"'])
def test_the_boundary_may_be_quoted_and_accompanied(boundary):
    assert parse(section(b"x") + b"--b--", f"multipart/form-data; boundary={boundary}")[0].content == b"x"


def test_what_surrounds_the_parts_and_pads_the_boundaries_is_ignored():
    body = b"preamble\r\n--b \t\r\n" + section(b"x")[5:] + b"--b--  \r\nepilogue\r\n--b\r\n"
    assert [part.content for part in parse(body)] == [b"x"]


def test_headers_may_be_followed_by_the_boundary_at_once():
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n--b--'
    assert parse(body) == [Part("file", True, b"")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "last boundary"),
        (b"rubbish", "last boundary"),
        (section(b"x"), "last boundary"),
        (section(b"x") + b"--other--", "last boundary"),
        (section(b"x")[:-2], "last boundary"),
        (b"--bx" + section(b"x") + b"--b--", "alone on its line"),
        (b"--b\r\nno headers\r\n--b--", "no headers"),
        (section(b"x", "Content-Type: image/png") + b"--b--", "no name"),
        (section(b"x", "Content-Disposition: form-data; filename=a") + b"--b--", "no name"),
        (
            section(b"x", f'Content-Disposition: form-data; name="{"n" * MAX_HEADER_BYTES}"') + b"--b--",
            "too long",
        ),
        (
            section(b"x", "Content-Disposition: form-data; name=file\r\nContent-Transfer-Encoding: Base64")
            + b"--b--",
            "encoded as 'base64'",
        ),
    ],
)
def test_what_is_unfinished_or_odd_is_refused_with_the_reason(body, reason):
    with pytest.raises(MultipartError, match=reason):
        parse(body)


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", f"{TYPE}{'b' * 200}"]
)
def test_a_boundary_is_needed_and_no_longer_than_allowed(content_type):
    with pytest.raises(MultipartError, match="no boundary"):
        parse(section(b"x") + b"--b--", content_type)


def test_too_many_parts_are_refused_before_they_are_kept():
    with pytest.raises(TooManyPartsError, match="more than 3 parts"):
        parse(section(b"x") * 4 + b"--b--", max_parts=3)
    assert len(parse(section(b"x") * 3 + b"--b--", max_parts=3)) == 3


@given(st.lists(st.tuples(st.text(), st.binary()), min_size=1, max_size=5))
def test_what_another_library_writes_is_read_back(files):
    # urllib3 writes the forms of `requests`.
    body, content_type = encode_multipart_formdata([("file", (name, content)) for name, content in files])
    assert parse(body, content_type) == [Part("file", True, content) for _, content in files]


def test_mutilated_forms_are_read_as_werkzeug_reads_them_or_refused():
    random.seed(5)
    one, note = section(b"one"), section(b"text", 'Content-Disposition: form-data; name="note"')
    body = one + note + b"--b--\r\n"
    headers = {*range(3, one.index(b"\r\n\r\n") + 1), *range(len(one) + 3, body.rindex(b"\r\n\r\n") + 1)}
    structure = [at for at in range(3, len(body)) if at not in headers]
    agreed = 0
    for _ in range(2000):
        at = random.choice(structure)
        pieces = random.choices(
            [b"\r\n", b"-", b"--", b"b", b" ", b"--b", b"\r\n--b"], k=random.randint(0, 2)
        )
        mutant = body[:at] + b"".join(pieces) + body[at + random.randint(0, 1) :]
        if b"\r" in (odd := mutant.replace(b"\r\n", b"")) or b"\n" in odd:
            continue  # Werkzeug takes bare line feeds and carriage returns for line breaks
        try:
            ours = [part.content for part in parse(mutant) if part.is_file]
        except MultipartError:
            continue
        parser = FormDataParser(stream_factory=lambda *args, **kwargs: io.BytesIO())
        _, _, files = parser.parse(io.BytesIO(mutant), "multipart/form-data", len(mutant), {"boundary": "b"})
        assert ours == [file.stream.read() for _, file in files.items(multi=True)], mutant
        agreed += 1
    assert agreed > 300
