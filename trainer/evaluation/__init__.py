"""How good a trained model is: metrics, other conditions, plots, the report.

Nothing here changes a model.
Start reading in `metrics.py`.
"""
