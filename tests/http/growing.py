"""Requests that grow with a size: heads, headers, queries, forms, documents, tensors and chunks."""

import json
from collections.abc import Callable

KIB = 1024


SALT = b"SALT"  # replaced in each sending, so that nothing is answered from a cache


Build = Callable[[int], bytes]


def get(*fields: bytes, target: bytes = b"/nothing") -> bytes:
    lines = [b"GET " + target + b" HTTP/1.1", b"Host: x", b"Connection: close", *fields, b""]
    return b"".join(line + b"\r\n" for line in lines)


def post(body: bytes, content_type: bytes, *fields: bytes, target: bytes = b"/predict") -> bytes:
    lines = [
        b"POST " + target + b" HTTP/1.1",
        b"Host: x",
        b"Connection: close",
        b"Content-Type: " + content_type,
        *fields,
    ]
    if not any(field.startswith(b"Transfer-Encoding") for field in fields):
        lines.append(b"Content-Length: %d" % len(body))
    return b"".join(line + b"\r\n" for line in [*lines, b""]) + body


def repeated(piece: bytes, size: int) -> bytes:
    """Return a piece as often as fits the size."""
    return piece * (size // len(piece))


HEADS: dict[str, Build] = {
    "spaces before a bare CR": lambda size: get(b"Content-Length: " + b" " * size + b"\rX"),
    "spaces in a value": lambda size: get(b"X-A: a" + b" " * size + b"b"),
    "spaces behind a value": lambda size: get(b"X-A: a" + b" " * size),
    "tabs and spaces in a coding": lambda size: get(b"Transfer-Encoding:" + repeated(b" \t", size) + b"x"),
    "many headers": lambda size: get(*[b"X-A: b"] * (size // 8)),
    "many different headers": lambda size: get(*(b"X-%d: b" % number for number in range(size // 12))),
    "one long header": lambda size: get(b"X-A: " + b"a" * size),
    "one long name": lambda size: get(b"X" * size + b": a"),
    "long address": lambda size: get(target=b"/" + b"a" * size),
    "address of slashes": lambda size: get(target=b"/" * size),
    "address of dots": lambda size: get(target=repeated(b"/..", size)),
    "long method": lambda size: b"A" * size + b" / HTTP/1.1\r\n\r\n",
    "line ends before the request": lambda size: b"\r\n" * (size // 2) + get(),
    "head without an end": lambda size: get(b"X-A: " + b"a" * size)[:-4] + b"\n\n",
}


FIELDS: dict[str, Build] = {
    "types with parameters": lambda size: post(b"", b"multipart/form-data" + repeated(b"; aSALT=b", size)),
    "quoted parameters": lambda size: post(b"", b'multipart/form-data; boundary="' + b'\\"' * (size // 2)),
    "continued parameters": lambda size: post(b"", b"multipart/form-data" + repeated(b"; b*0*=%20", size)),
    "semicolons in a type": lambda size: post(b"", b"multipart/form-data;SALT" + b";" * size),
    "spaces in a type": lambda size: post(b"", b"multipart/form-data;SALT" + b" " * size + b"x"),
    "accepted types": lambda size: get(b"Accept: " + repeated(b"a/bSALT;q=0.1,", size)),
    "accepted codings": lambda size: get(b"Accept-Encoding: " + repeated(b"aSALT;q=0.1,", size)),
    "cookies": lambda size: get(b"Cookie: " + repeated(b"aSALT=b; ", size)),
    "quoted cookie": lambda size: get(b'Cookie: a="SALT' + b"\\042" * (size // 4)),
    "tags of a page": lambda size: get(b"If-None-Match: " + repeated(b'"SALT", ', size), target=b"/"),
    "ranges of a page": lambda size: get(b"Range: bytes=" + repeated(b"0-1,", size) + b"0-1", target=b"/"),
    "names of proxies": lambda size: get(b"X-Forwarded-For: " + repeated(b"10.0.0.1, ", size)),
    "request id": lambda size: get(b"X-Request-Id: SALT" + b"a" * size),
    "key": lambda size: get(b"Authorization: Bearer SALT" + b"a" * size),
    "basic credentials": lambda size: get(b"Authorization: Basic " + b"QUFB" * (size // 4)),
    "digest credentials": lambda size: get(b"Authorization: Digest " + repeated(b'aSALT="b", ', size)),
    "expectations": lambda size: post(b"", b"image/png", b"Expect: " + repeated(b"a, ", size)),
    "connection tokens": lambda size: get(b"Connection: " + repeated(b"aSALT, ", size)),
    "date": lambda size: get(b"If-Modified-Since: Thu, " + b"0" * size, target=b"/"),
}


QUERIES: dict[str, Build] = {
    "many parameters": lambda size: get(target=b"/predict?SALT" + repeated(b"&a=b", size)),
    "many parameters of one name": lambda size: get(
        target=b"/predict?model=SALT" + repeated(b"&model", size)
    ),
    "many escapes": lambda size: get(target=b"/predict?model=SALT" + b"%25" * (size // 3)),
    "escapes that are none": lambda size: get(target=b"/predict?model=SALT" + b"%" * size),
    "pluses": lambda size: get(target=b"/predict?model=SALT" + b"+" * size),
    "semicolons": lambda size: get(target=b"/predict?model=SALT" + b";" * size),
    "escapes in the path": lambda size: get(target=b"/models/SALT" + b"%41" * (size // 3)),
    "bytes that are not text": lambda size: get(target=b"/models/SALT" + b"%ff" * (size // 3)),
}


FORM = b"multipart/form-data; boundary=b"


PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'


def form(body: bytes, boundary: bytes = b"b") -> bytes:
    return post(body + b"\r\n--" + boundary + b"--\r\n", b"multipart/form-data; boundary=" + boundary)


def part(header: bytes) -> bytes:
    """Return a form whose one part has this header, too."""
    return form(PART + header + b"\r\n\r\nx")


PARTS: dict[str, Build] = {
    "spaces in a parameter": lambda size: form(
        b'--b\r\nContent-Disposition: form-data; name="t";a=' + b" " * size + b'x"\r\n\r\n1'
    ),
    "spaces in parts": lambda size: form(
        (b'--b\r\nContent-Disposition: form-data; name="t";a=' + b" " * (size // 8) + b'x"\r\n\r\n1\r\n') * 8
    ),
    "spaces before a colon": lambda size: part(b"X-A" + b" " * size + b": b"),
    "spaces behind a value": lambda size: part(b"X-A: b" + b" " * size),
    "spaces behind a boundary": lambda size: form(b"--b" + b" " * size + b"\r\n\r\nx"),
    "many headers of a part": lambda size: part(repeated(b"X-A: b\r\n", size)[:-2]),
    "folded header of a part": lambda size: part(b"X-A: b" + repeated(b"\r\n c", size)),
    "one long header of a part": lambda size: part(b"X-A: " + b"b" * size),
    "header of a part without an end": lambda size: form(PART + b"X-A: " + b"b" * size),
    "long file name": lambda size: form(
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + b"a" * size + b'"\r\n\r\nx'
    ),
    "escapes in a file name": lambda size: form(
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="'
        + b'\\"' * (size // 2)
        + b'"\r\n\r\nx'
    ),
    "continued file name": lambda size: form(
        b'--b\r\nContent-Disposition: form-data; name="file"'
        + b"".join(b"; filename*%d*=%%20" % number for number in range(size // 18))
        + b"\r\n\r\nx"
    ),
    "parameters of a part": lambda size: form(
        b'--b\r\nContent-Disposition: form-data; name="file"' + repeated(b"; a=b", size) + b"\r\n\r\nx"
    ),
    "semicolons of a part": lambda size: form(
        b'--b\r\nContent-Disposition: form-data; name="file"' + b";" * size + b"\r\n\r\nx"
    ),
    "many parts": lambda size: form(repeated(PART + b"\r\nxxxxxxxx\r\n", size)),
    "many tiny parts": lambda size: form(repeated(b"--b\r\n\r\n\r\n", size)),
    "many fields": lambda size: form(
        repeated(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n', size)
    ),
    "boundaries only": lambda size: form(repeated(b"--b\r\n", size)),
    "text before the first part": lambda size: form(b"x" * size + b"\r\n" + PART + b"\r\nx"),
    "lines before the first part": lambda size: form(b"\r\n" * (size // 2) + PART + b"\r\nx"),
    "text behind the last part": lambda size: form(PART + b"\r\nx\r\n--b--\r\n" + b"x" * size),
    "no part at all": lambda size: form(b"x" * size),
    "line ends in a part": lambda size: form(PART + b"\r\n" + b"\r\n" * (size // 2)),
    "bare CRs in a part": lambda size: form(PART + b"\r\n" + b"\r" * size),
    "near boundaries in a part": lambda size: form(PART + b"\r\n" + repeated(b"\r\n--", size)),
    "near boundaries before a part": lambda size: form(repeated(b"\r\n-", size) + b"\r\n" + PART + b"\r\nx"),
    "near matches of a long boundary": lambda size: form(
        b"--" + b"a" * 69 + b"b\r\n\r\n" + repeated(b"\r\n--" + b"a" * 69, size), b"a" * 69 + b"b"
    ),
    "form without an end": lambda size: post(PART + b"\r\n" + b"x" * size, FORM),
}


URLENCODED = b"application/x-www-form-urlencoded"


JSON = b"application/json"


def image(value: bytes) -> bytes:
    """Return a JSON request with this text for a picture."""
    return post(b'{"image": "SALT' + value + b'"}', JSON)


DOCUMENTS: dict[str, Build] = {
    "deep lists": lambda size: post(b'{"image": ' + b"[" * size, JSON),
    "deep lists that end": lambda size: post(
        b'{"image": ' + b"[" * (size // 2) + b"]" * (size // 2) + b"}", JSON
    ),
    "deep objects": lambda size: post(repeated(b'{"image":', size), JSON),
    "long number": lambda size: post(b'{"image": ' + b"9" * size + b"}", JSON),
    "long fraction": lambda size: post(b'{"image": 0.' + b"9" * size + b"}", JSON),
    "long exponent": lambda size: post(b'{"image": 1e' + b"9" * size + b"}", JSON),
    "many keys": lambda size: post(
        json.dumps({f"key{number}": 1 for number in range(size // 14)}).encode(), JSON
    ),
    "one key many times": lambda size: post(b"{" + repeated(b'"image": 1, ', size) + b'"a": 1}', JSON),
    "spaces in a document": lambda size: post(b"{" + b" " * size + b"}", JSON),
    "spaces behind a document": lambda size: post(b"{}" + b" " * size + b"x", JSON),
    "long text": lambda size: image(b"A" * size),
    "text of line ends": lambda size: image(b"\\n" * (size // 2)),
    "text of escapes": lambda size: image(b"\\u0041" * (size // 6)),
    "text of half escapes": lambda size: image(b"\\ud800" * (size // 6)),
    "text of padding": lambda size: image(b"=" * size),
    "text that never ends": lambda size: post(b'{"image": "' + b"A" * size, JSON),
    "address of data": lambda size: image(b"data:image/png;base64," + b"A" * size),
    "parameters of data": lambda size: image(b"data:" + b";a=b" * (size // 4) + b",AAAA"),
    "document that is a list": lambda size: post(b"[" + repeated(b"1,", size) + b"1]", JSON),
    "document without text": lambda size: post(b"\xff" * size, JSON),
    "form of many fields": lambda size: post(repeated(b"a=b&", size), URLENCODED),
    "form of escapes": lambda size: post(b"image=" + b"%41" * (size // 3), URLENCODED),
}


INFER = b"/v2/models/mnist-28x28/infer"


def tensor(data: bytes, shape: bytes = b"1, 784", extra: bytes = b"") -> bytes:
    """Return a V2 request with this text for its data."""
    fields = b'"name": "pixels", "datatype": "FP32", "shape": [' + shape + b'], "data": ' + data
    return post(b'{"inputs": [{' + fields + b"}]" + extra + b"}", JSON, target=INFER)


TENSORS: dict[str, Build] = {
    "long data": lambda size: tensor(b"[" + repeated(b"0.5,", size) + b"0.5]"),
    "deep data": lambda size: tensor(b"[" * (size // 2) + b"]" * (size // 2)),
    "nested data": lambda size: tensor(b"[" + repeated(b"[1],", size) + b"[1]]"),
    "long number in data": lambda size: tensor(b"[" + b"9" * size + b"]"),
    "long numbers in data": lambda size: tensor(b"[" + repeated(b"9" * 400 + b",", size) + b"1]"),
    "long shape": lambda size: tensor(b"[1]", shape=repeated(b"1,", size) + b"1"),
    "long number in a shape": lambda size: tensor(b"[1]", shape=b"9" * size),
    "many inputs": lambda size: post(
        b'{"inputs": [' + repeated(b'{"name": "a"},', size) + b"{}]}", JSON, target=INFER
    ),
    "many outputs": lambda size: tensor(
        b"[1]", extra=b', "outputs": [' + repeated(b'{"name": "a"},', size) + b"{}]"
    ),
    "many parameters of an inference": lambda size: tensor(
        b"[1]", extra=b', "parameters": {' + repeated(b'"a": 1,', size) + b'"b": 1}'
    ),
}


def chunked(body: bytes, content_type: bytes = b"image/png") -> bytes:
    return post(body, content_type, b"Transfer-Encoding: chunked")


CHUNKS: dict[str, Build] = {
    "chunks of one byte": lambda size: chunked(repeated(b"1\r\nx\r\n", size) + b"0\r\n\r\n"),
    "form in chunks of one byte": lambda size: chunked(repeated(b"1\r\n-\r\n", size) + b"0\r\n\r\n", FORM),
    "document in chunks of one byte": lambda size: chunked(
        repeated(b"1\r\n[\r\n", size) + b"0\r\n\r\n", JSON
    ),
    "long extension": lambda size: chunked(b"1;a=" + b"b" * size + b"\r\nx\r\n0\r\n\r\n"),
    "many extensions": lambda size: chunked(b"1" + repeated(b";a=b", size) + b"\r\nx\r\n0\r\n\r\n"),
    "extensions of chunks of one byte": lambda size: chunked(
        repeated(b"1;a=b\r\nx\r\n", size) + b"0\r\n\r\n"
    ),
    "quoted extension": lambda size: chunked(b'1;a="' + b'\\"' * (size // 2) + b'"\r\nx\r\n0\r\n\r\n'),
    "zeros of a size": lambda size: chunked(b"0" * size + b"1\r\nx\r\n0\r\n\r\n"),
    "many trailers": lambda size: chunked(b"1\r\nx\r\n0\r\n" + repeated(b"X-A: b\r\n", size) + b"\r\n"),
    "one long trailer": lambda size: chunked(b"1\r\nx\r\n0\r\nX-A: " + b"b" * size + b"\r\n\r\n"),
    "spaces of a trailer": lambda size: chunked(b"1\r\nx\r\n0\r\nX-A: b" + b" " * size + b"c\r\n\r\n"),
}
