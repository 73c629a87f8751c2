"""From a drawing or a picture to the answer on the page.

Start reading in `test_page`.
"""
