"""Data sets: reading them, fetching them, making them larger by distortion.

No network and no training here; nothing is drawn from scratch (that is `trainer.synthetic`).
Start reading in `datasets.py`.
"""
