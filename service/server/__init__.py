"""Everything that touches the process: gunicorn's settings, the worker, connections, the way into Flask.

Requests come in here and leave here; what they mean is not known here. Nothing else of the service imports this
folder. Start reading in `worker.py`.
"""
