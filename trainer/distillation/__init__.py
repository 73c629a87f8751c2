"""Teachers of a small network: committees of trained models, and convolutional networks made for it.

Nothing here is served. PyTorch is imported only when a convolutional network is trained or used.
Start reading in `committee.py`, then `teacher.py`.
"""

from trainer.distillation.committee import Committee, load_committee
from trainer.distillation.teacher import train_teacher

__all__ = ["Committee", "load_committee", "train_teacher"]
