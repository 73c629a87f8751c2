"""Several readings of one picture, for the network and its rejector to choose from.

A digit that is cropped to its box touches the border of its picture. The border then does not show which side
is paper, how bright bare paper is, or which ink belongs to a neighbor, and any rule would be a guess. Each
reading assumes one answer. `service/model/answering.py` takes the reading that looks most like a digit; no
code here uses a model. Start reading in `first.py`.
"""

from service.preprocessing.readings.first import Reading, read_grey
from service.preprocessing.readings.second import look_again

__all__ = ["Reading", "look_again", "read_grey"]
