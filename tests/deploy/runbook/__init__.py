"""The runbook followed to the letter: the real kubectl, a cluster on paper, Jobs in their pods' files.

Start reading in `test_runbook.py`.
"""
