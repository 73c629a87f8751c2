"""Trained layers -> a checked model file in place: export, gate, versions, model card.

No network is trained here except the rejector, which every export fits.
Start reading in `export.py`, then `gate.py`.
"""

from trainer.publishing.card import model_card
from trainer.publishing.export import export_model, refit_plan, rejector_plan, trained_plan
from trainer.publishing.figures import HeldOut, held_out_images
from trainer.publishing.gate import Gate, Notes, compare, publish, serving
from trainer.publishing.onnx_file import onnx_bytes
from trainer.publishing.text import artifact_text, versions_text
from trainer.publishing.versions import list_versions, remove, rollback

__all__ = [
    "Gate",
    "HeldOut",
    "Notes",
    "artifact_text",
    "compare",
    "export_model",
    "held_out_images",
    "list_versions",
    "model_card",
    "onnx_bytes",
    "publish",
    "refit_plan",
    "rejector_plan",
    "remove",
    "rollback",
    "serving",
    "trained_plan",
    "versions_text",
]
