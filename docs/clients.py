"""The clients and the answer that /docs shows: those that the tests run, and what the service answers.

tests/clients/*, README's example -> service/static/clients.json
"""

import json

from docs.headlines import example
from service.config import PROJECT

CLIENTS = {"curl": "predict.sh", "Python": "predict_requests.py", "JavaScript": "predict.mjs"}
ADDRESS = "http://127.0.0.1:8080"  # in the clients; the page puts its own in its place


def page() -> str:
    """Return the text of the file: clients by language, each with its file name and code, and an answer."""
    clients = [
        {
            "language": language,
            "file": file,
            "code": (PROJECT / "tests/clients" / file).read_text().replace(ADDRESS, "$ADDRESS"),
        }
        for language, file in CLIENTS.items()
    ]
    answer = example().removeprefix("```json\n").removesuffix("\n```")
    return json.dumps({"clients": clients, "answer": answer}, indent=1) + "\n"
