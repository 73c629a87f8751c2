"""The training loop and what feeds it: configuration, batches, steps, checkpoints, progress.

Nothing here writes a model file or judges a finished model.
Start reading in `loop.py`.
"""
