"""The runbook, followed to the letter: each entry's commands, by the real kubectl, on the rendered manifests.

runbook.md -> commands of an entry -> bash -> kubectl -> Cluster -> Jobs in their pods' files -> a service
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.deploy.rendering import DEPLOY, find, render
from tests.deploy.runbook.cluster import Cluster
from tests.deploy.runbook.kube_api import kubectl_environment
from tests.deploy.runbook.pod_files import images, require_namespaces
from tests.deploy.tools import program
from tests.serving import MODELS, copy_models, running_service, wait_until
from tests.tiny import repacked, tiny_content
from tests.trainer.quick import QUICK, write_mnist

RUNBOOK = (DEPLOY / "runbook.md").read_text()
DEFAULT, OTHER = "mnist-28x28", "digits-8x8"
NAMESPACE, NIGHT = "digits-production", "Models at night"
LOOKS = re.compile(r"kubectl (-n NS )?(get|describe|top|logs|rollout status)\b(?!.*>)")
ALREADY: set[str] = set()  # commands that only look, and were run already


def sections(text: str) -> dict[str, str]:
    """Return the text below each heading of the second level; "" for what comes before."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


def commands(text: str) -> list[str]:
    """Return the commands of kubectl in a text, in order: spans of code, and indented lines."""
    found = re.finditer(r"`(kubectl [^`]+)`|^ {4}(kubectl (?:[^\n]+\|\n)*[^\n]+)", text, re.MULTILINE)
    return [re.sub(r"\s*\n\s*", " ", one[1] or one[2]) for one in found]


ENTRIES = {name: commands(text) for name, text in sections(RUNBOOK).items()}


class Operator:
    """A person with the runbook and kubectl."""

    def __init__(self, cluster: Cluster, environment: dict[str, str]) -> None:
        self.cluster = cluster
        self._environment = (
            os.environ | environment | {"PATH": f"{Path(program('kubectl')).parent}:{os.environ['PATH']}"}
        )

    def does(self, command: str, job: str = "", model: str = OTHER) -> str:
        """Run a command with the placeholders filled in; return what it printed."""
        values = {"NS": NAMESPACE, "POD": self.cluster.pod(), "JOB": job, "NAME": model}
        for name, value in values.items():
            command = re.sub(rf"\b{name}\b", value, command)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def follows(self, entry: str, containing: str = "", job: str = "") -> list[str]:
        """Run the commands of an entry that contain a text; return what each printed."""
        chosen = [command for command in ENTRIES[entry] if containing in command]
        assert chosen, f"{entry} has no command with {containing!r}"
        return [self.does(command, job) for command in chosen]

    def serves(self, model: str) -> str:
        """Return the version of a model that all workers serve, "" for none."""
        versions: set[str] = set()

        def agree() -> bool:
            versions.clear()
            for _ in range(10):  # either worker may take a connection
                listed = requests.get(f"{self.cluster.server.url}/models", timeout=30).json()["models"]
                versions.add(next((one["version"] for one in listed if one["name"] == model), ""))
            return len(versions) == 1

        wait_until(agree, "workers that agree")
        return versions.pop()

    def refuses(self, model: str) -> bool:
        """Return whether the service refuses the file of a model."""
        return self.cluster.server.metric("digits_model_refused", model=model) == 1

    def last_job(self) -> tuple[str, str, str]:
        """Return the name, the condition and the log of the last Job."""
        job = [one for (kind, _), one in self.cluster.objects.items() if kind == "jobs"][-1]
        name = job["metadata"]["name"]
        return name, job["status"]["conditions"][0]["type"], self.cluster.log(f"{name}-pod")

    def publishes(self, model: str, number: int) -> str:
        """Publish another version of a model from an image that has it; return the version before."""
        before = self.serves(model)
        folder = self.cluster.claims["digits-models"].parent / f"image-{number}"
        folder.mkdir()
        (folder / f"{model}.npz").write_bytes(repacked((MODELS / f"{model}.npz").read_bytes(), number))
        self.cluster.images = images(folder)
        self.follows(NIGHT, f"digits-publish-{model}")
        self.cluster.images = images()
        assert self.last_job()[1] == "Complete", self.last_job()
        wait_until(lambda: self.serves(model) != before, "the model of the image")
        return before


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator of a service whose volume is as the first pod left it."""
    require_namespaces()
    folder = tmp_path_factory.mktemp("runbook")
    objects = render("overlays/production")
    canary = find(render("tests/canary"), "Deployment", "digits-canary")
    mnist = find(render("tests/training"), "CronJob", "digits-trainer-mnist")
    for one in (canary, mnist):
        one["metadata"]["namespace"] = NAMESPACE
    volume = copy_models(folder / "volume")
    with running_service(folder, DIGITS_MODELS_DIR=str(volume), DIGITS_RELOAD_SECONDS="0.2") as server:
        cluster = Cluster([*objects, canary, mnist], server, folder, [*QUICK, "--drawn=0", "--outliers=20"])
        cluster.claims["digits-data"] = write_mnist(folder / "data")
        with kubectl_environment(cluster, folder) as environment:
            yield Operator(cluster, environment)


@pytest.mark.parametrize("entry", [name for name, found in ENTRIES.items() if found])
def test_looks_of_an_entry_show_something(entry: str, operator: Operator) -> None:
    """Commands that only look, whatever happened."""
    if entry == NIGHT:
        operator.follows(NIGHT, "rollback-digits-8x8")  # there is no version before
    if entry == "DigitsWorkerDied":
        os.kill(operator.cluster.server.workers()[0], signal.SIGKILL)
        wait_until(
            lambda: "was sent SIGKILL" in operator.cluster.server.log.read_text(), "the death in the log"
        )
    if entry == "DigitsModelLoadFailed":
        (operator.cluster.claims["digits-models"] / "late.npz").write_bytes(b"no model")
        wait_until(
            lambda: "model refused" in operator.cluster.server.log.read_text(), "the refusal in the log"
        )
    looks = [command for command in ENTRIES[entry] if LOOKS.match(command)]
    for command in [command for command in looks if command not in ALREADY]:
        job = operator.last_job()[0] if "JOB" in command else ""
        assert operator.does(command, job).strip(), command
        ALREADY.add(command)


def test_rollback_before_any_publication_explains_itself(operator: Operator) -> None:
    before = operator.serves(DEFAULT)
    operator.follows("DigitsErrorBudgetBurnFast", "rollback")
    name, condition, log = operator.last_job()
    assert condition == "Failed"
    assert log == (
        f"trainer: nothing was rolled back: /models has only the first version of {DEFAULT}. "
        "The first model that is published with --keep becomes the second.\n"
    )
    assert operator.serves(DEFAULT) == before
    operator.follows("DigitsTrainerFailed", "delete job", job=name)
    assert ("jobs", name) not in operator.cluster.objects


@pytest.mark.parametrize("model", [DEFAULT, OTHER])
def test_new_image_reaches_a_filled_volume_and_back(model: str, operator: Operator) -> None:
    others = operator.serves(OTHER if model == DEFAULT else DEFAULT)
    before = operator.publishes(model, 1 + (model == OTHER))
    published = operator.serves(model)
    entry = "DigitsErrorBudgetBurnFast" if model == DEFAULT else NIGHT
    operator.follows(entry, f"digits-rollback-{model}")
    wait_until(lambda: operator.serves(model) == before, "the version before")
    assert operator.serves(model) != published
    assert operator.serves(OTHER if model == DEFAULT else DEFAULT) == others
    assert operator.last_job()[1] == "Complete"


def test_worse_model_of_an_image_is_refused(operator: Operator) -> None:
    folder = operator.cluster.claims["digits-models"].parent / "worse"
    folder.mkdir()
    (folder / f"{OTHER}.npz").write_bytes(tiny_content())
    operator.cluster.images = images(folder)
    before = operator.serves(OTHER)
    operator.follows(NIGHT, f"digits-publish-{OTHER}")
    operator.cluster.images = images()
    _, condition, log = operator.last_job()
    assert condition == "Failed"
    assert f"{OTHER} was not published" in log
    assert operator.serves(OTHER) == before


def test_broken_file_of_the_default_model_is_replaced(operator: Operator) -> None:
    volume = operator.cluster.claims["digits-models"]
    before = operator.serves(DEFAULT)
    for repair in ("digits-rollback", "digits-publish"):  # steps 2 and 3 of the entry
        (volume / "new").write_bytes(b"no model")
        (volume / "new").rename(volume / f"{DEFAULT}.npz")
        wait_until(lambda: operator.refuses(DEFAULT), "the refusal")
        operator.follows("DigitsModelLoadFailed", repair)
        wait_until(lambda: not operator.refuses(DEFAULT), "a file that is accepted")
        assert operator.last_job()[1] == "Complete"
    assert operator.serves(DEFAULT) == before


def test_model_that_nobody_asks_for_is_removed(operator: Operator) -> None:
    volume = operator.cluster.claims["digits-models"]
    shutil.copy(MODELS / f"{OTHER}.npz", volume / "old-model.npz")
    wait_until(lambda: operator.serves("old-model"), "the model")
    (remove,) = [command for command in ENTRIES[NIGHT] if "digits-remove" in command]
    operator.does(remove, model="old-model")
    assert operator.last_job()[1] == "Complete"
    wait_until(lambda: not operator.serves("old-model"), "the removal")
    assert operator.serves(DEFAULT)


@pytest.mark.parametrize(("form", "model"), [("digits-trainer ", OTHER), ("digits-trainer-mnist ", DEFAULT)])
def test_training_now_publishes_the_model(form: str, model: str, operator: Operator) -> None:
    before = operator.serves(model)
    operator.follows("DigitsModelStale", f"--from=cronjob/{form}")
    assert operator.last_job()[1] == "Complete", operator.last_job()
    wait_until(lambda: operator.serves(model) != before, "the new model")


def test_nightly_training_can_be_suspended(operator: Operator) -> None:
    operator.follows(NIGHT, "suspend")
    assert operator.cluster.objects["cronjobs", "digits-trainer"]["spec"]["suspend"] is True


def test_rollout_undo_brings_the_image_before(operator: Operator) -> None:
    deployment = operator.cluster.objects["deployments", "digits"]
    for entry in ("DigitsDown", "DigitsUnavailable", "DigitsErrorBudgetBurnFast", "DigitsWorkerDied"):
        operator.follows(entry, "rollout undo")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "digits:0.9.0"
        container["image"] = "digits:1.0.0"


def test_canary_is_taken_out_after_its_log_is_kept(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ENTRIES["DigitsCanaryFailing"]:
        operator.does(command)
    assert (tmp_path / "canary.log").read_text()
    assert operator.cluster.objects["deployments", "digits-canary"]["spec"]["replicas"] == 0
    assert operator.cluster.objects["deployments", "digits"]["spec"]["replicas"] == 2


def test_autoscaler_gets_a_higher_maximum(operator: Operator) -> None:
    autoscaler = operator.cluster.objects["horizontalpodautoscalers", "digits"]
    autoscaler["spec"]["maxReplicas"] = 3
    operator.follows("DigitsOverload", "patch hpa")
    assert autoscaler["spec"]["maxReplicas"] == 12


def test_pod_that_lags_is_restarted(operator: Operator) -> None:
    for entry in ("DigitsVersionsDiffer", "DigitsWorkersMissing", "DigitsMemoryHigh"):
        before = operator.cluster.pod()
        operator.follows(entry, "delete pod")
        assert ("pods", before) not in operator.cluster.objects
        assert operator.cluster.pod() != before


def test_readme_publishes_and_rolls_back(operator: Operator) -> None:
    text = sections((DEPLOY / "README.md").read_text())["A new model, and back"]
    found = commands(text.replace("digits-dev", "NS"))
    assert len(found) == 4
    for command in found:
        operator.does(command)
        assert operator.last_job()[1] == "Complete", operator.last_job()


def test_every_command_of_the_runbook_is_followed() -> None:
    """Looks by the first test; the others are named in one."""
    text = Path(__file__).read_text()
    changing = {command for found in ENTRIES.values() for command in found if not LOOKS.match(command)}
    assert len(changing) > 10
    for command in changing:
        verb = re.search(
            r"digits-(?:rollback|publish|remove|trainer)|rollout undo|delete \w+|patch hpa|suspend|canary",
            command,
        )
        assert verb, command
        assert verb[0] in text, command
