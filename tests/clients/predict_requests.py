"""One picture, with requests.

python predict_requests.py http://127.0.0.1:8080 digit.png
"""

import sys

import requests

url, path = sys.argv[1:]
with open(path, "rb") as file:
    response = requests.post(f"{url}/predict", files={"file": file}, timeout=30)
answer = response.json()
if not response.ok:
    sys.exit(f"{answer['title']} {answer['detail']}")
print(answer["digit"] if answer["accepted"] else "no digit")
