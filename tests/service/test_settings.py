"""Settings are read once, and a wrong one is named together with what is allowed."""

import dataclasses
import socket
import subprocess
import time
from pathlib import Path

import pytest

from service.config import Settings, SettingsError
from tests.serving import COMMAND, PROJECT, answers, running_service, wait_until


def test_an_empty_environment_gives_the_defaults():
    settings = Settings.from_env({})
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8080, 2)
    assert settings.default_model == "mnist-28x28"
    assert settings.models_dir == PROJECT / "models"


def test_values_are_taken_from_the_environment():
    settings = Settings.from_env(
        {"PORT": "9000", "DIGITS_MODELS_DIR": "/models", "DIGITS_RELOAD_SECONDS": "0.5", "HOME": "/root"}
    )
    assert (settings.port, settings.models_dir, settings.reload_seconds) == (9000, Path("/models"), 0.5)


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PORT", "tcp://10.0.0.1:80", "a whole number"),
        ("PORT", "٨٠", "a whole number"),
        ("WEB_CONCURRENCY", "-1", "a whole number from 1 to 64"),
        ("WEB_CONCURRENCY", "0", "a whole number from 1 to 64"),
        ("WEB_CONCURRENCY", "auto", "a whole number from 1 to 64"),
        ("WEB_CONCURRENCY", " ", "a whole number from 1 to 64"),
        ("HOST", "[]", "an address to listen on"),
        ("HOST", "two words", "an address to listen on"),
        ("HOST", "http://localhost", "an address to listen on"),
        ("DIGITS_THREADS", "", "a whole number from 1 to 256"),
        ("DIGITS_MAX_DECODING_BYTES", "640M", "a whole number from 1048576"),
        ("DIGITS_LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("DIGITS_MAX_UPLOAD_BYTES", "10MB", "a whole number from 1024"),
        ("DIGITS_RELOAD_SECONDS", "nan", "a number of seconds from 0.1 to 3600"),
        ("DIGITS_RELOAD_SECONDS", "soon", "a number of seconds"),
        ("DIGITS_DEFAULT_MODEL", "../secret", "a model name"),
        ("DIGITS_MODELS_DIR", "", "the path of a folder"),
        ("DIGITS_API_KEY_FILE", "/dev/null", "a readable file that holds a key"),
        ("DIGITS_API_KEY_FILE", "/nowhere/key", "a readable file that holds a key"),
        ("DIGITS_API_KEY", " ", "a key that is not empty"),
    ],
)
def test_a_wrong_value_names_variable_value_and_what_is_allowed(variable, value, allowed):
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({variable: value})
    message = str(caught.value)
    assert message.startswith(f"{variable} is {value!r}; ")
    assert allowed in message
    assert "\n" not in message


def test_an_unknown_name_is_taken_for_a_typing_mistake():
    with pytest.raises(
        SettingsError, match=r"DIGITS_MODEL_DIR is not a setting. The settings are .*DIGITS_MODELS_DIR"
    ):
        Settings.from_env({"DIGITS_MODEL_DIR": "/models"})


@pytest.mark.parametrize("variable", ["HOST", "PORT", "WEB_CONCURRENCY"])
def test_what_platforms_leave_empty_is_the_default(variable):
    assert Settings.from_env({variable: ""}) == Settings()


@pytest.mark.parametrize(
    ("given", "host"),
    [("::1", "::1"), ("[::1]", "::1"), ("::", "::"), ("localhost", "localhost"), ("0.0.0.0", "0.0.0.0")],
)
def test_an_address_may_have_brackets(given, host):
    assert Settings.from_env({"HOST": given}).host == host


# What Kubernetes sets in each pod of a namespace with a Service called digits.
SERVICE_LINKS = {
    "DIGITS_SERVICE_HOST": "10.0.0.1",
    "DIGITS_SERVICE_PORT": "80",
    "DIGITS_SERVICE_PORT_HTTP": "80",
    "DIGITS_PORT": "tcp://10.0.0.1:80",
    "DIGITS_PORT_80_TCP": "tcp://10.0.0.1:80",
    "DIGITS_PORT_80_TCP_PROTO": "tcp",
    "DIGITS_PORT_80_TCP_PORT": "80",
    "DIGITS_PORT_8080_TCP_ADDR": "10.0.0.1",
}


def test_the_links_to_a_service_called_digits_are_ignored():
    assert Settings.from_env(SERVICE_LINKS) == Settings()
    for mistake in ("DIGITS_PROT", "DIGITS_SERVICE", "DIGITS_SERVICES_HOST", "DIGITS_HOST"):
        with pytest.raises(SettingsError, match=f"{mistake} is not a setting"):
            Settings.from_env({mistake: "80"})


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    """Return the outcome of a start that has to fail."""
    return subprocess.run(
        COMMAND,
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"PORT": "http"},
        {"DIGITS_TYPO": "1"},
        {"WEB_CONCURRENCY": "auto"},
        SERVICE_LINKS | {"DIGITS_PROT": "1"},
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(wrong):
    done = start(**wrong)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"digits: {list(wrong)[-1]} is ")


def loopback(host: str) -> tuple[str, int]:
    """Return a host that this machine can listen on and a free port of it; skip the test where it cannot."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, 0)[0]
        with socket.create_server(address[:2], family=family) as listener:
            return host, listener.getsockname()[1]
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error}")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_taken_port_stops_the_start_with_one_line(tmp_path, host):
    host, port = loopback(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family):
        started = time.monotonic()
        done = start(HOST=host, PORT=str(port), TMPDIR=str(tmp_path))
        seconds = time.monotonic() - started
    assert done.returncode != 0
    assert done.stderr.startswith(f"digits: port {port} on {host} is in use; take another, such as PORT=")
    assert done.stderr.count("\n") == 1
    assert seconds < 4  # 0.7 on an idle machine; gunicorn by itself would try for five
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("host", "shown"), [("::1", "[::1]"), ("[::1]", "[::1]"), ("localhost", "localhost")]
)
def test_the_service_answers_at_names_and_at_ipv6(tmp_path, host, shown):
    _, port = loopback(host.strip("[]"))
    settings = {"HOST": host, "WEB_CONCURRENCY": "", **SERVICE_LINKS}
    with running_service(tmp_path, wait_for="", port=port, **settings) as server:
        wait_until(lambda: answers(f"http://{shown}:{port}/readyz"), "/readyz; log:\n", server.log)
        wait_until(lambda: len(server.workers()) == 2, "two workers")
        assert server.stop() == 0
