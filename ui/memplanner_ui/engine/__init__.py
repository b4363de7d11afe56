"""The engine process as seen from the window."""

from memplanner_ui.engine.client import EngineClient, EngineState
from memplanner_ui.engine.outcome import Outcome

__all__ = ["EngineClient", "EngineState", "Outcome"]
