"""KServe's inference protocols: V1 under /v1 and V2, the Open Inference Protocol, under /v2.

Both turn a request into named arrays, and predictions into what their clients expect. The service's own
interface is not here. Start reading in `v2.py`.
"""

from service.api.inference.tensors import HEADER_LENGTH
from service.api.inference.v1 import create_v1
from service.api.inference.v2 import create_v2

__all__ = ["HEADER_LENGTH", "create_v1", "create_v2"]
