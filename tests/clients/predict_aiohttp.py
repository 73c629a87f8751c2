"""One picture, with aiohttp.

python predict_aiohttp.py http://127.0.0.1:8080 digit.png
"""

import asyncio
import sys

import aiohttp


async def predict(url: str, picture: bytes) -> dict:
    form = aiohttp.FormData()
    form.add_field("file", picture, filename="digit.png")
    async with aiohttp.ClientSession() as session, session.post(f"{url}/predict", data=form) as response:
        answer = await response.json(content_type=None)  # errors are application/problem+json
    if not response.ok:
        sys.exit(f"{answer['title']} {answer['detail']}")
    return answer


url, path = sys.argv[1:]
with open(path, "rb") as file:
    answer = asyncio.run(predict(url, file.read()))
print(answer["digit"] if answer["accepted"] else "no digit")
