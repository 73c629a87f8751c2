"""The HTTP interface: Flask blueprints with the views, and the hooks around every request.

They translate requests into calls to the core, and its results and errors into responses. No model
arithmetic, no processes, no sockets. Start reading in `predict.py`; `observability.py` has what every request
gets.
"""
