"""From the bytes of a file to predictions, for every protocol: batches, threads and their memory.

No HTTP, and no arithmetic on pixels: that is `service.preprocessing`, `service.model` and `service.reading`.
Start reading in `predictor.py`.
"""

from service.prediction.outcome import Outcome
from service.prediction.pages import PageOutcome, PageReader
from service.prediction.predictor import BATCH_SIZE, Predictor
from service.prediction.threads import Threads

__all__ = ["BATCH_SIZE", "Outcome", "PageOutcome", "PageReader", "Predictor", "Threads"]
