"""Several requests on a connection: order, closing, upgrades, and errors behind a good request."""

from tests.http.corpus.cases import CHUNKED, GET, Expected, chunks, get, head, post, table

HELLO = post("Content-Length: 5", body=b"hello")
UPGRADE = ("Connection: Upgrade", "Upgrade: h2c")
PIECES = {"GET": GET, "length": HELLO, "chunks": chunks(b"5\r\nhello\r\n0\r\n\r\n"), "no body": post()}
PAIRS = {
    f"{first}, then {second}": PIECES[first] + get(target="/2") + PIECES[second]
    for first in PIECES
    for second in PIECES
}

CASES = [
    *table(
        Expected.ANSWERED,
        {f"sequence: {name}": data for name, data in PAIRS.items()}
        | {
            "sequence: twenty": b"".join(get(target=f"/{number}") for number in range(20)),
            "sequence: three methods": head("POST /a HTTP/1.1", "Content-Length: 3")
            + b"AAA"
            + head("PUT /b HTTP/1.1", "Content-Length: 4")
            + b"BBBB"
            + head("PATCH /c HTTP/1.1", "Content-Length: 5")
            + b"CCCCC",
            "sequence: line end between": HELLO + b"\r\n" + GET,
            "sequence: line ends between": HELLO + b"\r\n\r\n" + GET,
            "sequence: keep-alive said": get("Connection: keep-alive") + GET,
            "sequence: close": get("Connection: close") + get(target="/never"),
            "sequence: Close": get("Connection: Close") + get(target="/never"),
            "sequence: close and a tab": get("Connection: close\t") + get(target="/never"),
            "sequence: close among tokens": get("Connection: close, token, keep-alive")
            + get(target="/never"),
            "sequence: close after a body": post("Content-Length: 4", "Connection: close", body=b"q=42")
            + b"\r\n"
            + get(target="/never"),
            "sequence: close, then no HTTP": get("Connection: close") + b"rubbish\r\n\r\n",
            "sequence: close and an unread body": get("Connection: close", "Content-Length: 32")
            + get(target="/never"),
            "sequence: HTTP/1.0 closes": get(version="HTTP/1.0") + get(target="/never"),
            "sequence: HTTP/1.0 with a body": head("GET / HTTP/1.0", "Content-Length: 24")
            + b"GET /second HTTP/1.1\r\n\r\n",
            "sequence: unknown connection token": get("Connection: X-Forwarded-For") + GET,
            "sequence: length as a connection token": post(
                "Connection: Content-Length", "Content-Length: 5", body=b"hello"
            )
            + GET,
            "upgrade: word without its connection token": get("Upgrade: h2c") + GET,
            "upgrade: token without its word": get("Connection: Upgrade") + GET,
            "upgrade: body without the token": post("Upgrade: h2c", "Content-Length: 5", body=b"hello"),
        },
    ),
    *table(
        Expected.UNREADABLE,
        {
            "sequence: garbage behind a GET": GET + b"rubbish\r\n\r\n",
            "sequence: garbage behind a body": HELLO + b"rubbish\r\n\r\n",
            "sequence: a letter between": HELLO + b"a" + GET,
            "sequence: NUL between": GET + b"\x00" + GET,
            "sequence: broken header in the second": GET + get("X A: b"),
            "sequence: two lengths in the second": GET
            + post("Content-Length: 5", "Content-Length: 6", body=b"hello"),
            "sequence: broken chunk in the second": GET + chunks(b"zz\r\n"),
            "sequence: broken third": GET + HELLO + get(" folded: x"),
            "connection: CR for a dash": get("Connection: keep\ralive"),
            "connection: space before the colon": get("Connection : upgrade", "Upgrade: ws"),
            "connection: corrupted name": get("Connection\r\x1b5\xd5eep-Alive"),
        },
    ),
    *table(
        Expected.DEBATABLE,
        {
            "upgrade: GET": get(*UPGRADE) + GET,
            "upgrade: GET to a websocket": get(
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version: 13",
            )
            + GET,
            "upgrade: body with a length": post(*UPGRADE, "Content-Length: 5", body=b"hello") + GET,
            "upgrade: request in a body": post(*UPGRADE, "Content-Length: 35", body=get(target="/evil/one"))
            + GET,
            "upgrade: chunks": post(*UPGRADE, CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n") + GET,
            "upgrade: request in a chunk": post(
                *UPGRADE, CHUNKED, body=b"23\r\n" + get(target="/evil/one") + b"\r\n0\r\n\r\n"
            )
            + GET,
            "upgrade: made-up protocol": get("Connection: Upgrade", "Upgrade: made-up/1.0") + GET,
            "upgrade: among tokens": get("Connection: keep-alive, upgrade", "Upgrade: x") + GET,
            "upgrade: in HTTP/1.0": get(*UPGRADE, version="HTTP/1.0") + GET,
            "sequence: HTTP/1.0 kept alive": get("Connection: keep-alive", version="HTTP/1.0") + GET,
        },
    ),
    *table(
        Expected.UNFINISHED,
        {
            "upgrade: half of the next request": get(*UPGRADE) + GET[:-10],
            "sequence: half a head": GET + b"GET /half HTTP/1.1\r\nHost: x\r\nX-Half: ",
            "sequence: half a line": GET + b"GE",
            "sequence: half a body": GET + post("Content-Length: 500", body=b"half"),
        },
    ),
]
