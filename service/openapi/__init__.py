"""The OpenAPI 3.1 description of the interface, as data.

`GET /openapi.json` returns it. It is made from the settings and the tables of errors. No other views. Start
reading in `document.py`.
"""
