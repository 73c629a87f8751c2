"""Conversations that broke other servers, rewritten, each with what llhttp makes of it as the measure.

    cases (lines, fields, lengths, codings, chunks, sequences) --> bytes
    bytes --> oracle.read (llhttp without our server) --> requests, or where it stops
    bytes --> the protocol class, or the service       --> answers
    answers must fit the requests, one by one

No file of these projects is copied. Where the kinds come from:

- gunicorn, `tests/requests/valid` and `invalid`: lines, lengths, codings, chunks, prefixes of a proxy;
- nodejs/llhttp, `test/request/*.md`: addresses, methods, connection tokens, pipelining, bare CR and LF;
- python-hyper/h11, `h11/tests/test_io.py` and `test_headers.py`: what a name, a value, a size may be;
- defparam/smuggler, `configs/exhaustive.py`: a coding hidden by a control character at one of four places;
- MDA2AV/Http11Probe: hosts, versions, lengths in other notations, trailers, upgrades;
- uNetworking/h1spec: heads in pieces, which the splitting of every case covers;
- narfindustries/http-garden: the lists in its README of what servers framed differently, and its mutations.
"""
