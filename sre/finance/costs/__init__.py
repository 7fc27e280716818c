"""The cost file that finance owns: what is paid, from when on, and by which rules it is shared out."""

from sre.finance.costs.model import Costs
from sre.finance.costs.reader import load, load_text

__all__ = ["Costs", "load", "load_text"]
