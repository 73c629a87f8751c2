"""Teachers for a small network: committees of trained models, convolutional ones among them.

Nothing here is served; PyTorch is imported only when a convolutional network is used.
Start reading in `committee.py`.
"""
