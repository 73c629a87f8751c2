"""A container that dies and comes back in the same pod, whose /tmp is still there."""

import os
import signal
from pathlib import Path

from tests.deploy.manifests.settings import environment
from tests.deploy.memory import processes
from tests.deploy.rendering import pods, render
from tests.drawing import digit_png
from tests.serving import running_service


def test_counts_of_a_dead_run_are_not_served_again(tmp_path: Path) -> None:
    (pod,) = pods(render("base"))
    metrics = Path(environment(pod, render("base"))["PROMETHEUS_MULTIPROC_DIR"])
    (mount,) = (mount for mount in pod.containers[0]["volumeMounts"] if mount["name"] == "tmp")
    assert metrics.is_relative_to(mount["mountPath"])

    settings = {
        "DIGITS_DEFAULT_MODEL": "digits-8x8",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / metrics.relative_to("/")),
    }
    with running_service(tmp_path, **settings) as server:
        assert server.predict(digit_png(2)).status_code == 200
        assert server.metric("digits_predictions_total") == 1
        for process in processes(server):  # as the kernel does when memory runs out
            os.kill(int(process.name), signal.SIGKILL)
        server.process.wait(10)
    with running_service(tmp_path, **settings) as server:
        assert server.metric("digits_predictions_total") == 0
        assert server.predict(digit_png(2)).status_code == 200
        assert server.metric("digits_predictions_total") == 1
