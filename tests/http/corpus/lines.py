"""Request lines: methods, addresses, versions, and what stands before them."""

from tests.http.corpus.cases import GET, Expected, get, head, table

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PURGE", "SEARCH", "REPORT")
TARGETS = {
    "a query": "/test.cgi?foo=bar",
    "two question marks": "/test.cgi?foo=bar?baz",
    "quotes": '/with_"quotes"?foo="bar"',
    "a vertical bar": "/test?query=|",
    "a fragment": "/topics/2375?page=1#posts-17408",
    "three slashes": "///kept",
    "dots": "/a/../b/./c",
    "escapes": "/a%20b%2Fc",
    "an escaped NUL": "/a%00b",
    "escaped line ends": "/a%0d%0aX-Injected:%20true",
    "an escape that is none": "/a%zz%",
    "escaped bytes that are not UTF-8": "/%ff%fe",
    "an overlong escape": "/%c0%af",
    "a backslash": "/path\\file",
    "a semicolon": "/a;b=c",
    "brackets": "/a[0]{b}",
    "an at sign": "/@x:y",
    "an empty query": "/?",
    "a host in the address": "http://x/foo?q=1",
    "https in the address": "https://x/foo",
    "a user in the address": "http://user:pass@x:8080/foo",
    "an IPv6 address": "http://[::1]:8080/foo",
    "four hundred segments": "/" + "a/" * 400,
}
UNREADABLE_TARGETS = {
    "a space": "/foo bar/",
    "a tab": "/foo\tbar",
    "a NUL": "/foo\x00bar",
    "a DEL": "/foo\x7fbar",
    "a byte above 127": "/caf\xe9",
    "UTF-8": "/caf\xc3\xa9",
    "overlong UTF-8": "/\xc0\xaf",
    "a bare CR": "/a\rb",
    "no leading slash": "foo/bar",
    "only a port": "x:443",
    "a host without a path": "http://x",
    "a host and a query": "http://x?hail=all",
    "a broken scheme": "s://]ufd/:",
}
UNREADABLE_LINES = {
    "no address": "GET HTTP/1.1",
    "only a method": "GET",
    "nothing but spaces": "   ",
    "two versions": "GET / HTTP/1.1 HTTP/1.1",
    "space after the version": "GET / HTTP/1.1 ",
    "tab for a space": "GET\t/ HTTP/1.1",
    "LF for a space": "GET\n/\nHTTP/1.1",
    "another protocol": "GET / FTP/1.1",
    "lower-case protocol": "GET / http/1.1",
    "ICE for a GET": "GET /music ICE/1.0",
    "almost HTTP": "GET /music IHTTP/1.0",
    "RTSP for a PUT": "PUT /music RTSP/1.0",
    "method of RTSP": "ANNOUNCE /music HTTP/1.0",
    "version 5.6": "GET / HTTP/5.6",
    "version 9.9": "GET / HTTP/9.9",
    "version 1.2": "GET / HTTP/1.2",
    "version 111": "GET / HTTP/111",
    "version 0.99": "GET / HTTP/0.99",
    "version 1": "GET / HTTP/1",
    "version 1.": "GET / HTTP/1.",
    "version .1": "GET / HTTP/.1",
    "version 01.01": "GET / HTTP/01.01",
    "version after a space": "GET / HTTP/ 1.1",
    "version of a hundred digits": f"GET / HTTP/{'1' * 100}.1",
    "version with a sign": "GET / HTTP/+1.1",
    "lower-case method": "get / HTTP/1.1",
    "mixed method": "Get / HTTP/1.1",
    "unknown method": "FOOBAR / HTTP/1.1",
    "method with a letter too many": "GETT / HTTP/1.1",
    "method of a thousand letters": f"{'A' * 1000} / HTTP/1.1",
    "method with a colon": "GET: / HTTP/1.1",
    "method with a dash first": "-GET / HTTP/1.1",
    "method in quotes": '"GET" / HTTP/1.1',
    "method with a comma": "bla:rgh / HTTP/1.1",
    "method with a byte above 127": "GET\xdf / HTTP/1.1",
    "method ending in 255": "GET\xff / HTTP/1.1",
    "NUL after the method": "GET\x00 / HTTP/1.1",
    "NUL and another method": "GET\x00POST / HTTP/1.1",
    "text before the method": "Extra lineGET / HTTP/1.1",
    "space before the method": " GET / HTTP/1.1",
    "tab before the method": "\tGET / HTTP/1.1",
    "byte order mark before the method": "\xef\xbb\xbfGET / HTTP/1.1",
    "PROXY line of HAProxy": "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443",
    "preface of HTTP/2": "PRI * HTTP/2.0",
    "preface of HTTP/2 as 1.1": "PRI * HTTP/1.1",
    "tunnel": "CONNECT x:443 HTTP/1.1",
    "tunnel to an IPv6 address": "CONNECT [::1]:443 HTTP/1.1",
    "answer for a request": "HTTP/1.1 200 OK",
}
BAD_FIRST_BYTES = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "binary PROXY line": b"\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x0c\xc0\xa8\x01\n\xc0\xa8\x01\x01\x30\x39\x01\xbb"
    + GET,
    "NULs": b"\x00" * 16,
    "every byte": bytes(range(256)),
    "SMTP": b"EHLO x\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "JSON": b'{"id": 1}\r\n\r\n',
    "an empty chunk": b"0\r\n\r\n",
}
LINE_ENDS = {
    "LF after the line": b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    "CR after the line": b"GET / HTTP/1.1\rHost: x\r\n\r\n",
    "only LFs": b"GET / HTTP/1.1\nHost: x\n\n",
    "only CRs": b"GET / HTTP/1.1\rHost: x\r\r",
    "CR CR LF": b"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n",
    "LF CR": b"GET / HTTP/1.1\n\rHost: x\n\r\n\r",
}

CASES = [
    *table(
        Expected.ANSWERED,
        {f"{method} request": head(f"{method} /url HTTP/1.1") for method in METHODS}
        | {f"address with {name}": get(target=target) for name, target in TARGETS.items()}
        | {
            "line end before the line": b"\r\n" + GET,
            "three line ends before the line": b"\r\n\r\n\r\n" + GET,
            "asterisk for OPTIONS": head("OPTIONS * HTTP/1.1"),
            "HTTP/1.0": get(version="HTTP/1.0"),
            "HTTP/1.0 without a host": get(version="HTTP/1.0", host=None),
        },
    ),
    *table(
        Expected.UNREADABLE,
        {f"address with {name}": get(target=target) for name, target in UNREADABLE_TARGETS.items()}
        | {f"line: {name}": head(line) for name, line in UNREADABLE_LINES.items()}
        | {f"first bytes: {name}": data for name, data in BAD_FIRST_BYTES.items()}
        | {f"line ends: {name}": data for name, data in LINE_ENDS.items()},
    ),
    *table(
        Expected.REFUSED,
        {
            "version 2.0": get(version="HTTP/2.0"),
            "version 0.9": get(version="HTTP/0.9"),
            "no version": b"GET /\r\n\r\n",
            "no version and a header": b"GET /\r\nHost: x\r\n\r\n",
        },
    ),
    *table(
        Expected.DEBATABLE,
        {
            "two spaces before the address": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
            "two spaces after the address": b"GET /  HTTP/1.1\r\nHost: x\r\n\r\n",
            "LF before the line": b"\n" + GET,
            "asterisk for GET": get(target="*"),
            "host in the address that is not the Host": get(target="http://other/foo"),
            "tunnel to a path": head("CONNECT / HTTP/1.1"),
            "SOURCE request": head("SOURCE /music HTTP/1.1"),
            "QUERY request": head("QUERY /contacts HTTP/1.1", "Content-Length: 6") + b"select",
            "M-SEARCH request": head("M-SEARCH * HTTP/1.1"),
        },
    ),
]
