"""A trained model -> an answer: the file format, the forward pass and what its outputs mean.

The one file format, the one forward pass and the one classifier, shared by the service and the trainer. No
HTTP, no training, nothing but NumPy and `service.preprocessing`. Start reading in `classifier.py`.
"""
