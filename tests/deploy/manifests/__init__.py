"""The manifests as they are written: schemas, references, practices, and whether the checks see a fault.

Start reading in `test_manifests`.
"""
