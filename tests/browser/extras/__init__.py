"""What the page offers beside an answer: teaching, history, examples, the network at work.

Start reading in `test_delight`.
"""
