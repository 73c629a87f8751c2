"""Trained layers -> a checked model file in place: export, gate, versions, model card.

No network is trained here except the rejector, which every export fits.
Start reading in `export.py`, then `gate.py`.
"""

from trainer.publishing.export import export_model, refit_plan, rejector_plan, trained_plan
from trainer.publishing.gate import Gate, Images, held_out_images, publish
from trainer.publishing.text import artifact_text, versions_text
from trainer.publishing.versions import list_versions, rollback

__all__ = [
    "Gate",
    "Images",
    "artifact_text",
    "export_model",
    "held_out_images",
    "list_versions",
    "publish",
    "refit_plan",
    "rejector_plan",
    "rollback",
    "trained_plan",
    "versions_text",
]
