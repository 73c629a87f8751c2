"""The OpenAPI 3.1 description of the interface, as data.

What `GET /openapi.json` answers, made from the settings and the tables of errors. No view but that one.
Start reading in `document.py`.
"""
