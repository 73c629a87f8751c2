"""What is read of plain heads is what gunicorn's parser reads of them; it judges all others."""

import pytest
from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.head import MAX_PLAIN_BYTES, MAX_PLAIN_HEADERS, Head, plain_head

LINE = b"Host: x\r\n"


def parsed(data: bytes) -> Request:
    """Return the request that gunicorn reads; raises what its parser does."""
    return Request(Config(), IterUnreader([data]), ("10.0.0.7", 1))


def agrees(data: bytes) -> Head | None:
    """Return the plain head of some bytes, after comparing it with what gunicorn's parser says."""
    head = plain_head(data)
    if head:
        request = parsed(data + b"b" * (head.length or 0))  # the body is there, or the parser would wait
        assert (request.method, request.path, request.version) == (head.method, head.path, (1, 1))
        assert (request.query, request.fragment) == (head.query or "", "")
        assert request.uri == (head.path if head.query is None else f"{head.path}?{head.query}")
        assert request.headers == head.headers
        assert not request._expected_100_continue
        assert len(request.body.read()) == (head.length or 0)
        assert (request.scheme, request.must_close) == ("http", False)
    return head


def test_the_head_of_an_upload_is_plain():
    head = agrees(
        b"POST /predict?model=digits-8x8&explain=true HTTP/1.1\r\nHost: digits:8080\r\n"
        b"User-Agent: curl/8.5.0\r\n"
        b"Accept: */*\r\nX-Request-Id:  abc\t\r\nContent-Length: 380\r\n"
        b'Content-Type: multipart/form-data; boundary="----x y"\r\nCookie:\r\n\r\n'
    )
    assert head is not None
    assert (head.method, head.path, head.length) == ("POST", "/predict", 380)
    assert head.query == "model=digits-8x8&explain=true"
    assert dict(head.headers)["X-REQUEST-ID"] == "abc"
    assert dict(head.headers)["COOKIE"] == ""


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1", b"HEAD /v2/health/live HTTP/1.1", b"GET /a?? HTTP/1.1"])
def test_a_head_without_a_length_has_no_body(first):
    head = agrees(first + b"\r\n" + LINE + b"\r\n")
    assert (head is None) == (b"??" in first)
    assert head is None or head.length is None


ODD = [
    b"POST / HTTP/1.0\r\nHost: x\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET //a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /a?b#c HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n A: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: x\0\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: \xe9\r\n\r\n",
    b"GET / HTTP/1.1\r\nA_B: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 0x3\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
    b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET",
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"GET / HTTP/1.1\r\nA: " + b"x" * MAX_PLAIN_BYTES + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"A%d:\r\n" % k for k in range(MAX_PLAIN_HEADERS + 1)) + b"\r\n",
]


@pytest.mark.parametrize("data", ODD)
def test_what_is_odd_in_any_way_is_gunicorns_to_judge(data):
    assert plain_head(data) is None


def test_the_limits_of_plain_heads_lie_within_those_that_gunicorn_keeps():
    config = Config()
    assert min(config.limit_request_line, config.limit_request_field_size) > MAX_PLAIN_BYTES
    assert config.limit_request_fields > MAX_PLAIN_HEADERS


NEAR = st.sampled_from(
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"Expect", b"content-type", b"X-A", b"A_b"]
)
NAMES = st.one_of(NEAR, st.binary(max_size=6))
VALUES = st.one_of(
    st.sampled_from([b"3", b"03", b"3 ", b"+3", b"-1", b"chunked", b"100-continue", b"close", b"x\ty", b""]),
    st.binary(max_size=8),
)
SEPARATORS = st.sampled_from([b": ", b":", b" : ", b":\t ", b""])
ENDS = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b"\r\r\n", b"\r\n "])
HEADERS = st.lists(st.tuples(NAMES, SEPARATORS, VALUES, ENDS).map(b"".join), max_size=4)
METHODS = st.one_of(
    st.sampled_from([b"GET", b"POST", b"HEAD", b"CONNECT", b"OPTIONS"]), st.binary(max_size=4)
)
TARGETS = st.one_of(
    st.sampled_from(
        [b"/", b"/a%2Fb", b"//a", b"/?", b"/a?b=c&d", b"*", b"/a;b", b"/a#b", b"/[", b"/%zz", b"/a:b"]
    ),
    st.text("/?#%&=.:;@[]*~ab \x7f\xe9", max_size=8).map(lambda text: text.encode("latin-1")),
)
VERSIONS = st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 "])


@settings(max_examples=3000, deadline=None)
@given(METHODS, TARGETS, VERSIONS, ENDS, HEADERS)
@example(b"POST", b"/predict", b"HTTP/1.1", b"\r\n", [b"Content-Length: 3\r\n"])
def test_whatever_is_taken_for_plain_gunicorn_reads_in_the_same_way(method, target, version, end, headers):
    agrees(b" ".join((method, target, version)) + end + b"".join(headers) + b"\r\n")


@settings(max_examples=2000, deadline=None)
@given(st.data())
def test_a_plain_head_with_a_byte_changed_is_read_as_gunicorn_reads_it_or_not_at_all(data):
    plain = (
        b"POST /predict?a=b HTTP/1.1\r\nHost: x:1\r\nContent-Type: image/png\r\nContent-Length: 12\r\n\r\n"
    )
    place = data.draw(st.integers(0, len(plain) - 1))
    change = data.draw(
        st.one_of(st.binary(max_size=2), st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b"\t", b":"]))
    )
    agrees(plain[:place] + change + plain[place + data.draw(st.integers(0, 1)) :])
