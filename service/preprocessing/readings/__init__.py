"""Several readings of one picture, for the network and its rejector to choose from.

A digit that is cut out to its box touches the border of its picture, which then does not tell which side is
paper, where bare paper is, or which ink belongs to a neighbor. Any rule would be a guess. Each reading
assumes one answer, and whichever looks most like a digit is taken (service/model/answering.py). No model is
known here. Start reading in `first.py`.
"""

from service.preprocessing.readings.first import Reading, read_grey
from service.preprocessing.readings.second import look_again

__all__ = ["Reading", "look_again", "read_grey"]
