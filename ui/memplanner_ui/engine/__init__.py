"""The engine process as seen from the window."""

from memplanner_ui.engine.client import EngineClient, EngineState
from memplanner_ui.engine.outcome import Outcome
from memplanner_ui.engine.place import HERE, Place

__all__ = ["HERE", "EngineClient", "EngineState", "Outcome", "Place"]
