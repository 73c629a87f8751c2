"""Settings: read once from the environment, checked, then handed around as one frozen object.

environ -> Settings (or a SettingsError that names variable, value and what is allowed)
"""

import dataclasses
import os
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "DIGITS_"
PROJECT = Path(__file__).resolve().parent.parent
MEBIBYTE = 1024 * 1024


SEGMENT_CHARACTERS = frozenset(string.ascii_letters + string.digits + "._~-")
HOST_CHARACTERS = frozenset(string.ascii_letters + string.digits + ".:-[]")
# Platforms and templates set these, sometimes to an empty value.
EMPTY_IS_DEFAULT = (
    *("HOST", "PORT", "WEB_CONCURRENCY", "DIGITS_ROOT_PATH", "DIGITS_CORS_ORIGINS"),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
)


class SettingsError(Exception):
    """An environment variable has a value that cannot be used."""


def _is_service_link(variable: str) -> bool:
    """Return whether this variable is one that Kubernetes sets for a Service called digits."""
    return variable == "DIGITS_SERVICE_HOST" or variable.startswith(("DIGITS_SERVICE_PORT", "DIGITS_PORT"))


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return parse


def _seconds(lowest: float, highest: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not lowest <= value <= highest:
            raise ValueError(f"a number of seconds from {lowest:g} to {highest:g}")
        return value

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return parse


def _true_or_false(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def _name(text: str) -> str:
    if not text or "/" in text or text.startswith("."):
        raise ValueError("a model name (a file name without .npz)")
    return text


def _folder(text: str) -> Path:
    if not text:
        raise ValueError("the path of a folder")
    return Path(text)


def _key_file(text: str) -> Path:
    try:
        if Path(text).read_bytes().strip():
            return Path(text)
    except OSError:
        pass
    raise ValueError("the path of a readable file that holds a key")


def _key(text: str) -> str:
    if not text.strip():
        raise ValueError("a key that is not empty")
    return text.strip()


def _host(text: str) -> str:
    bare = text.removeprefix("[").removesuffix("]")
    if not bare or any(character.isspace() or character in "[]/" for character in bare):
        raise ValueError("an address to listen on, such as 127.0.0.1, 0.0.0.0 or ::")
    return bare


def _root_path(text: str) -> str:
    bare = text.rstrip("/")
    if text != "/" and not is_root_path(bare):
        raise ValueError("a path such as /digits, of letters, digits and . _ ~ -")
    return bare


def is_root_path(path: str) -> bool:
    """Return whether the service may answer below a path, such as "/digits" or "/tools/digits"."""
    first, *segments = path.split("/")
    return bool(not first and segments) and all(
        SEGMENT_CHARACTERS.issuperset(segment) and segment not in ("", ".", "..") for segment in segments
    )


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("a URL such as http://collector:4318")
    return text


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(each.strip() for each in text.split(",") if each.strip())
    if not origins or not all(each == "*" or _is_origin(each) for each in origins):
        raise ValueError("* or origins such as https://app.example:8443, separated by commas")
    return origins


def _is_origin(text: str) -> bool:
    scheme, separator, host = text.partition("://")
    return scheme in ("http", "https") and bool(separator and host) and HOST_CHARACTERS.issuperset(host)


def _setting(
    variable: str, default: Any, parse: Callable[[str], Any], help: str, secret: bool = False
) -> Any:
    metadata = {"variable": variable, "parse": parse, "help": help}
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True)
class Settings:
    """Every setting of the service; the field's metadata holds its variable, parser and help."""

    host: str = _setting("HOST", "127.0.0.1", _host, "address to listen on")
    port: int = _setting("PORT", 8080, _whole(1, 65535), "port to listen on")
    workers: int = _setting("WEB_CONCURRENCY", 2, _whole(1, 64), "worker processes")
    threads: int = _setting(
        "DIGITS_THREADS", 4, _whole(1, 256), "threads per worker that decode large images"
    )
    models_dir: Path = _setting(
        "DIGITS_MODELS_DIR", PROJECT / "models", _folder, "folder of the NAME.npz files"
    )
    default_model: str = _setting(
        "DIGITS_DEFAULT_MODEL", "mnist-28x28", _name, "model that answers unless ?model= names one"
    )
    reload_seconds: float = _setting(
        "DIGITS_RELOAD_SECONDS", 2.0, _seconds(0.1, 3600), "pause between checks for changed model files"
    )
    max_upload_bytes: int = _setting(
        "DIGITS_MAX_UPLOAD_BYTES", 10 * MEBIBYTE, _whole(1024, 1024 * MEBIBYTE), "largest request body"
    )
    max_image_pixels: int = _setting(
        "DIGITS_MAX_IMAGE_PIXELS", 52_000_000, _whole(64, 1_000_000_000), "largest width x height of an image"
    )
    max_decoding_bytes: int = _setting(
        "DIGITS_MAX_DECODING_BYTES",
        1024 * MEBIBYTE,
        _whole(1024 * 1024, 1024 * 1024 * MEBIBYTE),
        "memory that decoding large images may take at once, in all workers together",
    )
    max_batch_images: int = _setting(
        "DIGITS_MAX_BATCH_IMAGES", 256, _whole(1, 10_000), "most images in one batch request"
    )
    max_in_flight: int = _setting(
        "DIGITS_MAX_IN_FLIGHT",
        64,
        _whole(1, 10_000),
        "most requests that each worker answers at once; more get 503",
    )
    read_timeout_seconds: float = _setting(
        "DIGITS_READ_TIMEOUT_SECONDS",
        10.0,
        _seconds(0.1, 600),
        "longest silence of a client during a request or an answer",
    )
    drain_seconds: float = _setting(
        "DIGITS_DRAIN_SECONDS",
        0.0,
        _seconds(0, 600),
        "time after SIGTERM in which connections are still accepted while /readyz says 503",
    )
    graceful_timeout_seconds: int = _setting(
        "DIGITS_GRACEFUL_TIMEOUT_SECONDS",
        30,
        _whole(1, 600),
        "time that requests in progress get to finish at shutdown",
    )
    api_key_file: Path | None = _setting(
        "DIGITS_API_KEY_FILE",
        None,
        _key_file,
        "file with the key that requests need; each line is a key, and any of them is valid",
    )
    api_key: str | None = _setting(
        "DIGITS_API_KEY", None, _key, "the key itself, if there is no such file", secret=True
    )
    metrics_open: bool = _setting(
        "DIGITS_METRICS_OPEN", True, _true_or_false, "whether /metrics answers without the key"
    )
    root_path: str = _setting(
        "DIGITS_ROOT_PATH", "", _root_path, "path below which a proxy exposes the service, such as /digits"
    )
    trust_proxy: bool = _setting(
        "DIGITS_TRUST_PROXY",
        False,
        _true_or_false,
        "whether to believe X-Forwarded-Prefix; only behind a proxy that sets or removes it",
    )
    cors_origins: tuple[str, ...] = _setting(
        "DIGITS_CORS_ORIGINS",
        (),
        _origins,
        "origins of other hosts whose pages may send requests, separated by commas; * for all",
    )
    otlp_endpoint: str | None = _setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT", None, _url, "collector that receives traces, as OTLP over HTTP"
    )
    otlp_traces_endpoint: str | None = _setting(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", None, _url, "the same with its path, such as /v1/traces"
    )
    log_level: str = _setting(
        "DIGITS_LOG_LEVEL",
        "info",
        _one_of("debug", "info", "warning", "error"),
        "least severe log lines to write",
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings of an environment; raises SettingsError.

        An unknown DIGITS_ variable is an error too, because it is probably a typo.
        """
        fields = {field.metadata["variable"]: field for field in dataclasses.fields(cls)}
        for variable in environ:
            if variable.startswith(PREFIX) and variable not in fields and not _is_service_link(variable):
                known = ", ".join(name for name in fields if name.startswith(PREFIX))
                raise SettingsError(f"{variable} is not a setting. The settings are {known}")
        values = {}
        for variable, field in fields.items():
            if variable in environ and (environ[variable] or variable not in EMPTY_IS_DEFAULT):
                try:
                    values[field.name] = field.metadata["parse"](environ[variable])
                except ValueError as error:
                    raise SettingsError(
                        f"{variable} is {environ[variable]!r}; {error} is expected"
                    ) from error
        return cls(**values)
