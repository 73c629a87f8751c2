"""One picture, with KServe's SDK, by either of its protocols: pip install kserve==0.21.0

python predict_kserve.py v1|v2 http://127.0.0.1:8080 digit.png
"""

import asyncio
import base64
import sys

from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

MODEL = "mnist-28x28"


async def predict(protocol: str, url: str, picture: str) -> int:
    client = InferenceRESTClient(RESTConfig(protocol=protocol, timeout=30))
    assert await client.is_model_ready(url, MODEL)
    if protocol == "v1":
        answer = await client.infer(url, {"instances": [{"b64": picture}]}, model_name=MODEL)
        return answer["predictions"][0]["digit"]
    request = InferRequest(MODEL, [InferInput("image", [1], "BYTES", [picture])])
    answer = await client.infer(url, request, model_name=MODEL)
    return next(output.data[0] for output in answer.outputs if output.name == "digit")


protocol, url, path = sys.argv[1:]
with open(path, "rb") as file:
    encoded = base64.b64encode(file.read()).decode()
print(asyncio.run(predict(protocol, url, encoded)))
