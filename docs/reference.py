"""The reference: endpoints, settings, metrics, errors and guarantees, each taken from the code.

OpenAPI document, Settings, Metrics, STATUSES -> tables
guarantees.toml, with the limits in the code  -> table -> docs/reference.md
"""

import dataclasses
import re
import tomllib
from itertools import groupby
from typing import Any

from prometheus_client import CollectorRegistry

from docs.markdown import table
from service import asgi, budget, heads
from service.api import uploads
from service.api.problems import STATUSES, problem_type
from service.config import MEBIBYTE, PROJECT, Settings
from service.metrics import Metrics
from service.openapi.document import describe_api
from service.prediction import predictor
from service.server.protocol import Protocol

GUARANTEES = PROJECT / "docs/guarantees.toml"
FIELDS = {field.metadata["variable"]: field for field in dataclasses.fields(Settings)}
LIMITS = {
    "ADDRESS_BYTES": heads.MAX_ADDRESS_BYTES,
    "BATCH_SIZE": predictor.BATCH_SIZE,
    "CONNECTIONS": Protocol.max_connections,
    "DISCARD_SECONDS": f"{asgi.DRAINING_SECONDS:g}",
    "HEADERS": heads.MAX_HEADERS,
    "HEADER_BYTES": heads.MAX_HEADER_BYTES,
    "HEAD_BYTES": heads.MAX_HEAD_BYTES,
    "HELD_BODIES": asgi.HELD_BODIES,
    "LARGE_BYTES": predictor.LARGE_BYTES,
    "LARGE_DECODING_BYTES": predictor.LARGE_DECODING_BYTES,
    "LARGE_PIXELS": predictor.LARGE_PIXELS,
    "MEMORY_WAIT_SECONDS": f"{budget.LONGEST_WAIT_SECONDS:g}",
    "OTHER_PARTS": uploads.OTHER_PARTS,
    "SLOWEST_BYTES": asgi.LEAST_BYTES_PER_SECOND,
    "TURN_MILLISECONDS": f"{1000 * predictor.TURN_SECONDS:g}",
}


def page() -> str:
    """Return docs/reference.md."""
    return f"""# Reference

`python -m docs` generates this page from the code; edit the code, not the page.

[Endpoints](#endpoints) · [Errors](#errors) · [Settings](#settings) · [Metrics](#metrics) ·
[Guarantees](#guarantees)

## Endpoints

`GET /openapi.json` describes each of them in full, and `GET /docs` shows that description in a browser.

{endpoints()}

## Errors

Every error is `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail` and `request_id`.
The detail says what to do. Below `/v1` and `/v2`, an error is `{{"error": "..."}}`, as these protocols ask.
Errors that HTTP itself defines (404 for a path, 405, 413 for a large body, ...) have the type `about:blank`.

{errors()}

## Settings

The service reads its environment once, at the start. A wrong value, or an unknown name that begins with
`DIGITS_`, stops the start with one line that says what is allowed.

{settings()}

With a key, requests need `Authorization: Bearer KEY` or `X-API-Key: KEY`; without it they get 401. The
probes, `/metrics`, the page and the API description stay open.

## Metrics

`GET /metrics` of any worker answers for all workers.

{metrics()}

## Guarantees

The tests below each of them hold it, most of them on real servers and real sockets. Values of settings are
the defaults.

{guarantees()}
"""


def endpoints() -> str:
    """Return the table of methods and paths."""
    rows = []
    for path, methods in describe_api(Settings()).get("paths", {}).items():
        for method, operation in methods.items():
            text = [sentence(operation["summary"])]
            if bodies := ", ".join(f"`{kind}`" for kind in media_types(operation.get("requestBody", {}))):
                text.append(f"Body: {bodies}.")
            queried = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
            if parameters := ", ".join(f"`?{name}=`" for name in queried):
                text.append(f"Parameters: {parameters}.")
            statuses = " ".join(sorted(operation["responses"]))
            rows.append((f"`{method.upper()} {path}`", " ".join(text), statuses))
    return table("method and path | what it does | statuses", rows)


def media_types(body: dict[str, Any]) -> list[str]:
    """Return the media types of a body, those of images as one."""
    return [
        kind for kind, _ in groupby(re.sub("^image/.*", "image/*", each) for each in body.get("content", []))
    ]


def errors() -> str:
    """Return the table of problem types."""
    rows = [(f"`{problem_type(error)}`", status, title(error)) for error, status in STATUSES.items()]
    return table("type | status: | title", rows)


def title(error: type[Exception]) -> str:
    """Return the title of an error's problem."""
    return (error.__doc__ or "").splitlines()[0]


def settings() -> str:
    """Return the table of environment variables."""
    rows = [
        (f"`{name}`", shown(field.default), sentence(field.metadata["help"]), allowed(field))
        for name, field in FIELDS.items()
    ]
    return table("variable | default | what it is | allowed", rows)


def shown(default: object) -> str:
    """Return a default as one would write it into the environment."""
    if default in (None, "", ()):
        return "none"
    text = str(default).lower() if isinstance(default, bool) else str(default).removeprefix(f"{PROJECT}/")
    return f"`{text}`"


def sentence(text: str) -> str:
    """Return a text with a capital and, unless it ends with a mark, a full stop."""
    return f"{text[0].upper()}{text[1:]}" + "." * (text[-1] not in ".?!")


def allowed(field: dataclasses.Field[Any]) -> str:
    """Return what a setting allows, in the words of the error for an empty value."""
    try:
        field.metadata["parse"]("")
    except ValueError as error:
        return str(error)
    raise AssertionError(f"{field.name} allows an empty value")


def metrics() -> str:
    """Return the table of metrics."""
    registry = CollectorRegistry()
    Metrics(registry)
    rows = [
        (f"`{metric.name}{'_total' * (metric.type == 'counter')}`", metric.type, metric.documentation)
        for metric in registry.collect()
    ]
    return table("name | type | what it is", rows)


def guarantees() -> str:
    """Return the list of guarantees; {NAME} in a text stands for a setting with its default, or a limit."""
    defaults = {name: f"`{name}` ({amount(name, field.default)})" for name, field in FIELDS.items()}
    values = {name: value if isinstance(value, str) else f"{value:,}" for name, value in LIMITS.items()}
    lines = []
    for each in tomllib.loads(GUARANTEES.read_text())["guarantee"]:
        lines.append(f"- **{each['what']}.** {each['how'].format(**defaults, **values)}")
        lines += [f"  - `{test}`" for test in each["tests"]]
    return "\n".join(lines)


def amount(variable: str, default: Any) -> str:
    """Return a default for a sentence, with its unit where the name of the variable ends with one."""
    if variable.endswith("_BYTES"):
        return f"{default // MEBIBYTE:,} MiB"
    units = {"SECONDS": " s", "PIXELS": " pixels"}
    return (
        f"{default:,g}" + units.get(variable.rpartition("_")[2], "")
        if isinstance(default, int | float)
        else ""
    )
