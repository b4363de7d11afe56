"""“How was this number made?”: asked of any figure of the window."""

from memplanner_ui.explaining.control import ExplainControl

__all__ = ["ExplainControl"]
