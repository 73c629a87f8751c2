"""A trained model -> an answer: the file format, the forward pass and what its outputs mean.

The service and the trainer share this file format, this forward pass and this classifier. No HTTP, no
training; it needs only NumPy, Pillow and `service.preprocessing`. Start reading in `classifier.py`.
"""
