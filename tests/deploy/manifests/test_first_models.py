"""What fills an empty volume before the first pod serves from it: the script in the manifest, run here."""

import subprocess
from pathlib import Path

from tests.deploy.rendering import find, render
from tests.serving import MODELS


def fill(volume: Path, programs: str = "/usr/bin:/bin") -> None:
    """Run the script of first-models, with a folder in place of the volume; programs: its PATH."""
    (first,) = find(render("overlays/production"), "Deployment")["spec"]["template"]["spec"]["initContainers"]
    *shell, script = first["command"]
    assert "/app/models" in script
    script = (
        script.replace("/app/models", "IMAGE").replace("/models/", f"{volume}/").replace("IMAGE", str(MODELS))
    )
    subprocess.run([*shell, script], check=True, env={"PATH": programs, "HOSTNAME": "pod-1"}, timeout=30)


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


def test_volume_without_hard_links_gets_the_models_too(tmp_path: Path) -> None:
    volume, programs = tmp_path / "volume", tmp_path / "programs"
    volume.mkdir(), programs.mkdir()
    (programs / "ln").write_text("#!/bin/sh\necho 'ln: Operation not supported' >&2; exit 1\n")  # as on SMB
    (programs / "ln").chmod(0o755)
    (volume / "digits-8x8.npz").write_bytes(b"a newer one")
    fill(volume, f"{programs}:/usr/bin:/bin")
    assert contents(volume) == contents(MODELS) | {"digits-8x8.npz": b"a newer one"}
