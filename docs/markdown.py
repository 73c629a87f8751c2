"""Tables, and text between markers of a document.

rows -> table; document, name, text -> the same document with that text between its two markers
"""

import re
from collections.abc import Iterable


def table(header: str, rows: Iterable[Iterable[object]]) -> str:
    """Return a table; a column whose name in the header ends with a colon is aligned to the right."""
    names = [name.strip() for name in header.split("|")]
    rule = ["---:" if name.endswith(":") else "---" for name in names]
    lines = [[name.removesuffix(":") for name in names], rule, *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def fill(document: str, name: str, text: str) -> str:
    """Return a document with `text` between the markers of a name; raises ValueError without them."""
    start, end = f"<!-- make docs: {name} -->", f"<!-- end of {name} -->"
    pattern = f"{re.escape(start)}\n.*?{re.escape(end)}"
    filled, count = re.subn(pattern, lambda _: f"{start}\n{text}\n{end}", document, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the markers '{name}' occur {count} times; once is expected")
    return filled
