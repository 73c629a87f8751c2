"""The image and the files around it: Dockerfile, compose file, workflows, locks.

Start reading in `test_image`.
"""
