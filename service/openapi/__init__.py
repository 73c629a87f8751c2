"""The OpenAPI 3.1 description of the interface, as data.

What `GET /openapi.json` answers, put together from the settings and the tables of errors; its only view.
Start reading in `document.py`.
"""
