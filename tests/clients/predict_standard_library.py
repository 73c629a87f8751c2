"""One picture, with nothing but Python.

python predict_standard_library.py http://127.0.0.1:8080 digit.png
"""

import json
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

url, path = sys.argv[1:]
# The bytes of the file are the body; any image/* type will do, the service looks at the bytes.
request = Request(f"{url}/predict", data=Path(path).read_bytes(), headers={"Content-Type": "image/png"})
try:
    with urlopen(request, timeout=30) as response:
        answer = json.load(response)
except HTTPError as error:
    problem = json.load(error)
    sys.exit(f"{problem['title']} {problem['detail']}")
print(answer["digit"] if answer["accepted"] else "no digit")
