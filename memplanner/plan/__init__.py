"""What the user decides. Torch-free, so that the window and the terminal's help may import it."""

from memplanner.plan.difference import Change, difference
from memplanner.plan.plan import Plan, keys
from memplanner.plan.section import Choice, Choices, Section

__all__ = ["Change", "Choice", "Choices", "Plan", "Section", "difference", "keys"]
