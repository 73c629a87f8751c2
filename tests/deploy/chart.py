"""The chart's copies of the manifests: python -m tests.deploy.chart

base and components, as kustomize renders each by itself -> deploy/chart/files/NAME.yaml

The chart is a package of its own, so it cannot read the folders beside it. Its templates parse these files,
set what the values say, and write the objects; a test fails where a copy is stale.
"""

import os
import tempfile
from pathlib import Path

import yaml

from tests.deploy.rendering import DEPLOY, Object
from tests.deploy.tools import run

CHART = DEPLOY / "chart"
COMPONENTS = (
    "model-volume",
    "trainer",
    "network-policies",
    "prometheus-operator",
    "ingress",
    "gateway",
)
# Patches of the Deployment, copied as they are.
PATCHES = {
    "model-volume": "mount.yaml",
    "prometheus-annotations": "annotations.yaml",
    "api-key": "mount.yaml",
}


def copies() -> dict[str, str]:
    """Return the content of each file below deploy/chart/files."""
    files = {"base.yaml": documents([DEPLOY / "base"], [])}
    for name in COMPONENTS:
        files[f"{name}.yaml"] = documents([], [DEPLOY / "components" / name])
    for name, file in PATCHES.items():
        patch = yaml.safe_load((DEPLOY / "components" / name / file).read_text())
        files[f"patch-{name}.yaml"] = text_of([patch])
    return files


def documents(resources: list[Path], components: list[Path]) -> str:
    """Return what kustomize makes of some folders; the settings get their plain name."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = os.path.realpath(temporary)  # kustomize wants relative paths, and follows links itself
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(each, folder) for each in resources],
            "components": [os.path.relpath(each, folder) for each in components],
            "generatorOptions": {"disableNameSuffixHash": True},
        }
        (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        result = run("kubectl", "kustomize", folder)
    assert result.returncode == 0, result.stderr
    return text_of([plain(one) for one in yaml.safe_load_all(result.stdout)])


def plain(one: Object) -> Object:
    """Return an object with the name of the settings without the hash of their content."""
    hashed = yaml.safe_dump(one)
    for word in hashed.split():
        if word.startswith("digits-config-"):
            hashed = hashed.replace(word, "digits-config")
    return yaml.safe_load(hashed)


def text_of(objects: list[Object]) -> str:
    """Return objects as documents of one YAML file."""
    return "---\n".join(yaml.safe_dump(one, sort_keys=False, width=120) for one in objects)


def main() -> None:
    """Write the copies and remove other files."""
    folder = CHART / "files"
    folder.mkdir(exist_ok=True, parents=True)
    wanted = copies()
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
