"""Content-Length: what is a number, how many there may be, and what stands around it."""

from tests.http.corpus.cases import GET, Expected, get, head, post, table

BODY = b"hello"
FIVE = {
    "five": "5",
    "leading zeros": "005",
    "twenty-five leading zeros": "0" * 25 + "5",
    "two hundred leading zeros": "0" * 200 + "5",
    "two spaces before": " 5",
    "spaces behind": "5  ",
    "tab before": "\t5",
    "tabs around": "\t5\t ",
}
NO_NUMBERS = {
    "negative": "-1",
    "minus zero": "-0",
    "minus of 27 digits": "-123456789123456789123456789",
    "plus": "+5",
    "words": "five",
    "letters behind": "5x",
    "hexadecimal": "0x5",
    "octal": "0o5",
    "underscore": "0_5",
    "exponent": "5e0",
    "fraction": "5.0",
    "two numbers with a space": "5 5",
    "zero and one with a space": "0 1",
    "comma between equal ones": "5, 5",
    "comma without a space": "5,5",
    "comma between different ones": "5, 10",
    "comma behind": "5,",
    "comma before": ",5",
    "semicolon": "5;",
    "quoted": '"5"',
    "empty": "",
    "only spaces": "   ",
    "full-width digit": "\xef\xbc\x95",
    "NUL behind": "5\x00",
    "vertical tab before": "\x0b5",
    "form feed behind": "5\x0c",
    "bare CR before": "\r5",
    "bare CR behind": "5\r",
    "bare LF before": "\n5",
    "bare LF behind": "5\n",
    "fold before": "\r\n 5",
    "fold behind": "5\r\n 5",
    "20 nines": "9" * 20,
    "22 digits": "1000000000000000000000",
    "2 to the 64th": str(2**64),
    "2 to the 64th and five": str(2**64 + 5),
    "a thousand nines": "9" * 1000,
    "zeros, then 30 digits": "0" * 10 + "1" * 30,
}


def length(value: str, *more: str) -> bytes:
    """Return a request with this length and a body of five bytes."""
    return post(f"Content-Length: {value}", *more, body=BODY)


CASES = [
    *table(Expected.ANSWERED, {f"length: {name}": length(value) for name, value in FIVE.items()}),
    *table(
        Expected.ANSWERED,
        {
            "length: zero": post("Content-Length: 0"),
            "length: two zeros": post("Content-Length: 00"),
            "length: none": post(),
            "length: in other letters": post("conTENT-Length: 5", body=BODY),
            "length: octal-looking": post("Content-Length: 0200", body=b"x" * 200),
            "length: body of a GET": get("Content-Length: 5") + BODY,
            "length: body of a HEAD": head("HEAD / HTTP/1.1", "Content-Length: 5") + BODY,
            "length: body of an OPTIONS": head("OPTIONS / HTTP/1.1", "Content-Length: 5") + BODY,
            "length: body of a DELETE": head("DELETE / HTTP/1.1", "Content-Length: 5") + BODY,
            "length: in HTTP/1.0": post("Content-Length: 5", body=BODY, version="HTTP/1.0"),
            "length: request in the body": post(f"Content-Length: {len(GET)}", body=GET),
            "length: request in a GET's body": get(f"Content-Length: {len(GET)}") + GET,
            "length: chunks in the body": post("Content-Length: 5", body=b"0\r\n\r\n"),
            "length: 70,000 bytes": post("Content-Length: 70000", body=b"x" * 70_000),
        },
    ),
    *table(Expected.UNREADABLE, {f"length: {name}": length(value) for name, value in NO_NUMBERS.items()}),
    *table(
        Expected.UNREADABLE,
        {
            "length: two different": length("5", "Content-Length: 10"),
            "length: two equal": length("5", "Content-Length: 5"),
            "length: two zeros apart": post("Content-Length: 0", "Content-Length: 0"),
            "length: second hidden by letters": length("5", "content-length: 28"),
            "length: second after other fields": length("5", "X-A: b", "X-B: c", "Content-Length: 6"),
            "length: empty, then five": length("", "Content-Length: 5"),
            "length: space before the colon": post("Content-Length : 5", body=BODY),
            "length: second with a space before the colon": length("5", "Content-Length : 3"),
            "length: tab in the name": length("5", "Content\tLength: 99"),
            "length: body longer than it": post("Content-Length: 5", body=b"hello-and-more\r\n\r\n"),
            "length: zero and a body": post("Content-Length: 0", body=b"hello\r\n\r\n"),
            "length: none and a body": post(body=b"hello\r\n\r\n"),
        },
    ),
    *table(
        Expected.UNFINISHED,
        {
            "length: body shorter than it": post("Content-Length: 1000", body=BODY),
            "length: of 19 digits": post("Content-Length: 1" + "0" * 18, body=BODY),
            "length: no body at all": post("Content-Length: 1000"),
        },
    ),
]
