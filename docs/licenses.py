"""The licenses of what the image installs, as the packages state them.

service/requirements.txt -> metadata of the installed packages -> docs/licenses.md
"""

import re
from importlib.metadata import PackageMetadata, metadata

from docs.markdown import table
from service.config import PROJECT

LISTS = {
    "The service": "service/requirements.txt",
    "For traces": "service/requirements-tracing.txt",
    "For pictures of phones": "service/requirements-phones.txt",
}


def page() -> str:
    """Return docs/licenses.md."""
    sections = "\n\n".join(f"## {title}\n\n{licenses(path)}" for title, path in LISTS.items())
    return f"""# Licenses of others

`python -m docs` generates this page from the metadata of the packages. This project has the MIT license.

{sections}
"""


def licenses(path: str) -> str:
    """Return the table of the packages that a list of requirements pins."""
    pinned = re.findall(r"^([\w.-]+)==(\S+)$", (PROJECT / path).read_text(), re.MULTILINE)
    return table(
        "package | version | license",
        [(name, version, license_of(metadata(name))) for name, version in sorted(pinned)],
    )


def license_of(package: PackageMetadata) -> str:
    """Return a package's license: an SPDX expression, or else what its classifiers or first line say."""
    if expression := package.get("License-Expression"):
        return str(expression)
    classifiers = [each for each in package.get_all("Classifier") or [] if each.startswith("License ::")]
    if classifiers:
        return ", ".join(each.rpartition(" :: ")[2] for each in classifiers)
    return str(package.get("License") or "not stated").splitlines()[0]
