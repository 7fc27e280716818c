"""Log files read line by line, exactly once, whatever rotates them and whatever stops the reader."""

from sre.usage.tail.batch import Batch, Condition
from sre.usage.tail.position import Mark, Place, Position
from sre.usage.tail.tail import Tail

__all__ = ["Batch", "Condition", "Mark", "Place", "Position", "Tail"]
