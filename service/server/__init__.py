"""Everything that touches the process: gunicorn's settings, the worker, connections.

What a request means is decided elsewhere. The rest of the service does not import this folder. Start reading
in `worker.py`.
"""
