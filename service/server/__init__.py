"""Everything that touches the process: gunicorn's settings, the worker, connections.

Nothing here knows what requests mean, and nothing else in the service imports it. Start reading in
`worker.py`.
"""
