"""A plan on a real device: real steps, measured, against the prediction."""

from memplanner.run.comparison import Comparison, compare_categories, compare_phases
from memplanner.run.intention import intention
from memplanner.run.process import apply
from memplanner.run.stopping import StopSignal

__all__ = [
    "Comparison",
    "StopSignal",
    "apply",
    "compare_categories",
    "compare_phases",
    "intention",
]
