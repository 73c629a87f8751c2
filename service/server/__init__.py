"""Everything that touches the process: gunicorn's settings, the worker, connections.

What requests mean is not known here; nothing else of the service imports this. Start reading in `worker.py`.
"""
