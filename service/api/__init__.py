"""The HTTP interface: Flask blueprints with the views, and the hooks around every request.

They turn a request into calls of the core, and its results and errors into answers. No model arithmetic, no
processes or sockets. Start reading in `predict.py`; `observability.py` has what every request gets.
"""
