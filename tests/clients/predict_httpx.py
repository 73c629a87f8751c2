"""One picture, with httpx.

python predict_httpx.py http://127.0.0.1:8080 digit.png
"""

import sys

import httpx

url, path = sys.argv[1:]
with open(path, "rb") as file:
    response = httpx.post(f"{url}/predict", files={"file": file}, timeout=30)
answer = response.json()
if response.is_error:
    sys.exit(f"{answer['title']} {answer['detail']}")
print(answer["digit"] if answer["accepted"] else "no digit")
