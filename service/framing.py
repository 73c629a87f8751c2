"""Where a request ends: just enough of HTTP/1.1 to know when all of it has arrived.

    bytes received so far -> Framing.look -> wait for more, or hand over the first `end` of them

Gunicorn's parser decides what is right and what is wrong. Whatever looks odd here is handed over at
once, so that it gets its error; only what is plainly unfinished waits.
"""

import re

from service.head import Head, plain_head

# A request line and headers; proxies commonly allow 8 KiB, browsers with many cookies send 16.
MAX_HEAD_BYTES = 32 * 1024
# Chunks of a byte each are no way to send an image, but a way to keep a processor busy.
MAX_CHUNKS = 50_000

_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_CODING = re.compile(rb"^transfer-encoding[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_CONTINUE = re.compile(rb"^expect[ \t]*:[ \t]*100-continue[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")
_DIGITS = re.compile(rb"[0-9]{1,18}")


class Framing:
    """Follows one request as it arrives.

    head_end: number of bytes up to the body, 0 while the headers are not all there.
    end: number of bytes the request has, once `look` says that it can be handed over.
    too_large: its body is, or claims to be, larger than allowed; the rest was not waited for.
    broken: its chunks are not framed as they should be, so nobody knows where it ends.
    has_length: it says how long its body is, and may be believed.
    plain: what the headers say, where that is plain.
    expects_continue: the client waits for a word before it sends the body.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self.head_end = 0
        self._chunks = 0
        self._position = 0  # where the next chunk begins, once the body is known to be chunked
        self.end = 0
        self.too_large = False
        self.broken = False
        self.has_length = False
        self.expects_continue = False
        self.plain: Head | None = None

    def look(self, received: bytearray) -> bool:
        """Return whether the request at the beginning of `received` can be handed over."""
        if not self.head_end and not self._find_head(received):
            return bool(self.end)
        if self._position:
            self._follow_chunks(received)
            size = len(received) - self.head_end
            if not self.end and (size > self._max_body_bytes or self._chunks > MAX_CHUNKS):
                self.too_large, self.end = True, len(received)
        return 0 < self.end <= len(received)

    def _find_head(self, received: bytearray) -> bool:
        """Find the end of the headers and how the body is framed."""
        end = received.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES) + 4
        if end < 4:
            # Lines that end in a bare LF would never end this way.
            odd = received.count(b"\n") != received.count(b"\r\n")
            self.end = len(received) if odd or len(received) > MAX_HEAD_BYTES else 0
            return False
        head = bytes(received[:end])
        self.head_end = self.end = end
        self.plain = plain_head(head)
        if self.plain:
            if self.plain.length is not None:
                self._expect(self.plain.length)
            return True
        lengths, codings = _LENGTH.findall(head), _CODING.findall(head)
        if codings:
            if not lengths and [coding.lower() for coding in codings] == [b"chunked"]:
                self._position, self.end = end, 0
        elif len(lengths) == 1 and _DIGITS.fullmatch(lengths[0]):
            self._expect(int(lengths[0]))
        self.expects_continue = bool(_CONTINUE.search(head)) and not self.too_large
        return True

    def _expect(self, length: int) -> None:
        """Wait for a body of so many bytes, or for none of a larger one than allowed."""
        self.has_length = True
        if length > self._max_body_bytes:
            self.too_large = True
        else:
            self.end += length

    def _follow_chunks(self, received: bytearray) -> None:
        """Step over the chunks that are there; set `end` after the last one, or where one is odd."""
        while self._position < len(received) and not self.end:
            if self._position > self.head_end and received[self._position - 2 : self._position] != b"\r\n":
                self.broken, self.end = True, len(received)
                return
            line_end = received.find(b"\r\n", self._position, self._position + MAX_HEAD_BYTES)
            if line_end < 0:
                if len(received) - self._position > MAX_HEAD_BYTES:
                    self.end = len(received)
                return
            size = bytes(received[self._position : line_end]).partition(b";")[0].rstrip(b" \t")
            if not _CHUNK_SIZE.fullmatch(size):
                self.broken, self.end = True, len(received)
            elif int(size, 16) == 0:
                self.end = _trailers_end(received, line_end + 2)
                return
            else:
                self._position = line_end + 2 + int(size, 16) + 2
                self._chunks += 1


def _trailers_end(received: bytearray, start: int) -> int:
    """Return where the trailers that begin at `start` end, with their empty line; 0 if they do not yet."""
    if received[start : start + 2] == b"\r\n":
        return start + 2
    end = received.find(b"\r\n\r\n", start) + 4
    if end >= 4:
        return end
    return len(received) if len(received) - start > MAX_HEAD_BYTES else 0
