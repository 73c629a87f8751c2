"""Trained parameters -> a checked model file in place: packing, the gate, versions, the model card.

No training here but that of the small network that rejects non-digits.
Start reading in `export.py`, then `gate.py`.
"""
