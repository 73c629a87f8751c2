"""What fills an empty volume before the first pod serves from it: the script in the manifest, run here."""

import subprocess
from pathlib import Path

from tests.deploy.rendering import find, render
from tests.serving import MODELS


def fill(volume: Path) -> None:
    """Run the script of the container first-models, with a folder in place of the volume."""
    (first,) = find(render("overlays/production"), "Deployment")["spec"]["template"]["spec"]["initContainers"]
    *shell, script = first["command"]
    assert "/app/models" in script
    script = (
        script.replace("/app/models", "IMAGE").replace("/models/", f"{volume}/").replace("IMAGE", str(MODELS))
    )
    subprocess.run(
        [*shell, script], check=True, env={"PATH": "/usr/bin:/bin", "HOSTNAME": "pod-1"}, timeout=30
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_empty_volume_gets_the_models_of_the_image(tmp_path: Path) -> None:
    fill(tmp_path)
    assert contents(tmp_path) == contents(MODELS)


def test_a_model_that_was_trained_since_is_kept(tmp_path: Path) -> None:
    (tmp_path / "digits-8x8.npz").write_bytes(b"a newer one")
    fill(tmp_path)
    fill(tmp_path)
    assert contents(tmp_path) == contents(MODELS) | {"digits-8x8.npz": b"a newer one"}
