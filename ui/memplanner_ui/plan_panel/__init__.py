"""The plan as a form, generated from the plan's own schema."""

from memplanner_ui.plan_panel.panel import PlanPanel

__all__ = ["PlanPanel"]
