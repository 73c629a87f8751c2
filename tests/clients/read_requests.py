"""All digits of one picture, each with its box, with requests.

python read_requests.py http://127.0.0.1:8080 page.png
"""

import sys

import requests

url, path = sys.argv[1:]
with open(path, "rb") as file:
    response = requests.post(f"{url}/read", files={"file": file}, timeout=30)
answer = response.json()
if not response.ok:
    sys.exit(f"{answer['title']} {answer['detail']}")
print(answer["text"])
for found in answer["digits"]:
    left, top, width, height = found["box"]
    sure = f"{found['confidence']:.1%}" if found["accepted"] else "left out"
    print(f"{found['digit']} at {left}, {top}, {width} x {height}: {sure}", file=sys.stderr)
