"""Transfer-Encoding: spellings, lists, a length beside it, and a coding hidden by one odd byte."""

from tests.http.corpus.cases import CHUNKED, Expected, head, post, table

BODY = b"5\r\nhello\r\n0\r\n\r\n"
SPELLINGS = {
    "lower case": "chunked",
    "capitals": "CHUNKED",
    "mixed case": "cHuNkEd",
    "tab before": "\tchunked",
    "spaces around": "   chunked  ",
}
INVALID = {
    "identity": "identity",
    "gzip": "gzip",
    "unknown": "pigeons",
    "prefixed": "xchunked",
    "suffixed": "chunkedx",
    "cut": "chunk",
    "doubled without a comma": "chunkedchunked",
    "chunked, then gzip": "chunked, gzip",
    "chunked, then identity": "chunked, identity",
    "chunked, then unknown": "chunked, cow",
    "chunked twice": "chunked, chunked",
    "chunked between unknown words": "cow chunked bar",
    "word behind": "chunked cow",
    "in quotes": '"chunked"',
    "in apostrophes": "'chunked'",
    "with a parameter": "chunked;ext=val",
    "comma behind": "chunked,",
    "empty": "",
    "only spaces": "   ",
    "only a comma": ",",
    "vertical tab before": "\x0bchunked",
    "NUL behind": "chunked\x00",
    "letter above 127": "ch\x96nked",
    "tab behind": "chunked\t",
    "fold before": "\r\n chunked",
    "fold behind": "chunked\r\n  abc",
    "bare CR behind": "chunked\r",
    "bare LF before": "\n chunked",
}
# Where smuggler hides a byte, as a format of the header line.
PLACES = {
    "after the colon": "Transfer-Encoding:{}chunked",
    "behind the name": "Transfer-Encoding{}: chunked",
    "before the name": "{}Transfer-Encoding: chunked",
    "behind the value": "Transfer-Encoding: chunked{}",
}
BYTES = [*range(0x00, 0x09), *range(0x0B, 0x0D), 0x0E, 0x1B, 0x1F, 0x7F, 0x80, 0x85, 0xA0, 0xFF]
HIDDEN = {
    f"coding: byte {byte:02x} {place}": post(line.format(chr(byte)), body=BODY)
    for place, line in PLACES.items()
    for byte in BYTES
}
# A server that does not see the coding falls back on the length, and what follows becomes a request.
BESIDE_A_LENGTH = {
    f"coding beside a length: byte {byte:02x} {place}": post(
        f"Content-Length: {len(BODY)}", line.format(chr(byte)), body=BODY
    )
    for place, line in PLACES.items()
    for byte in (0x01, 0x0B, 0x0D, 0x1F, 0x7F, 0xA0)
}

CASES = [
    *table(
        Expected.ANSWERED,
        {
            f"coding: {name}": post(f"Transfer-Encoding: {value}", body=BODY)
            for name, value in SPELLINGS.items()
        }
        | {
            "coding: name in other letters": post("TrAnSFer-EnCODinG: chunked", body=BODY),
            "coding: no space after the colon": post("Transfer-Encoding:chunked", body=BODY),
            "coding: of a GET": head("GET / HTTP/1.1", CHUNKED) + BODY,
            "coding: of a PUT": head("PUT / HTTP/1.1", CHUNKED) + BODY,
            "coding: of a DELETE": head("DELETE / HTTP/1.1", CHUNKED) + BODY,
            "coding: named by TE only": post("TE: chunked", "Content-Length: 5", body=b"hello"),
        },
    ),
    *table(
        Expected.UNREADABLE,
        {f"coding: {name}": post(f"Transfer-Encoding: {value}", body=BODY) for name, value in INVALID.items()}
        | HIDDEN
        | BESIDE_A_LENGTH
        | {
            "coding: two lines of chunked": post(CHUNKED, CHUNKED, body=BODY),
            "coding: gzip after chunked": post(CHUNKED, "Transfer-Encoding: gzip", body=BODY),
            "coding: identity after chunked": post(CHUNKED, "Transfer-Encoding: identity", body=BODY),
            "coding: space before the colon": post("Transfer-Encoding : chunked", body=BODY),
            "coding: space in the name": post("Transfer Encoding: chunked", body=BODY),
            "coding: space before the name": post(" Transfer-Encoding: chunked", body=BODY),
            "coding: bare CR in the name": post("Transfer\r-Encoding: chunked", body=BODY),
            "coding: behind a bare CR": post("X:X\rTransfer-Encoding: chunked", body=BODY),
            "coding: behind a bare LF": post("X:X\nTransfer-Encoding: chunked", body=BODY),
            "coding and length": post(CHUNKED, "Content-Length: 5", body=BODY),
            "length and coding": post("Content-Length: 5", CHUNKED, body=BODY),
            "length of the rest and coding": post("Content-Length: 6", CHUNKED, body=b"0\r\n\r\nX"),
            "length in other letters and coding": post("content-LENGTH: 15", CHUNKED, body=BODY),
            "length, identity": post("Content-Length: 5", "Transfer-Encoding: identity", body=b"hello"),
            "identity, length": post("Transfer-Encoding: identity", "Content-Length: 5", body=b"hello"),
            "empty coding, length": post("Transfer-Encoding:", "Content-Length: 5", body=b"hello"),
            "three empty codings, length": post(
                "Content-Length: 10", *["Transfer-Encoding:"] * 3, body=b"2\r\nAA\r\n0\r\n"
            ),
            "length, unknown coding": post("Content-Length: 5", "Transfer-Encoding: xchunked", body=b"hello"),
            "length, list with chunked last": post(
                "Content-Length: 5", "Transfer-Encoding: , chunked", body=b"hello"
            ),
        },
    ),
    *table(
        Expected.REFUSED,
        {
            "coding: identity, chunked": post("Transfer-Encoding: identity, chunked", body=BODY),
            "coding: gzip, chunked": post("Transfer-Encoding: gzip, chunked", body=BODY),
            "coding: gzip,chunked": post("Transfer-Encoding: gzip,chunked", body=BODY),
            "coding: unknown, chunked": post("Transfer-Encoding: cow, chunked", body=BODY),
            "coding: gzip on a line before": post("Transfer-Encoding: gzip", CHUNKED, body=BODY),
            "coding: identity on a line before": post("Transfer-Encoding: identity", CHUNKED, body=BODY),
            "coding: in HTTP/1.0": post(CHUNKED, body=BODY, version="HTTP/1.0"),
            "coding: in HTTP/1.0, kept alive": post(
                CHUNKED, "Connection: keep-alive", body=BODY, version="HTTP/1.0"
            ),
        },
    ),
    *table(
        Expected.DEBATABLE,
        {
            "coding: comma before": post("Transfer-Encoding: , chunked", body=BODY),
            "coding: chunked after a tab and a comma": post("Transfer-Encoding: \t,chunked", body=BODY),
        },
    ),
    *table(
        Expected.UNFINISHED,
        {"coding: no body at all": post(CHUNKED)},
    ),
]
