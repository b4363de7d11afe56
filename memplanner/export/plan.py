"""The target ``plan``: memplanner's own YAML, which opens again with everything intact."""

from __future__ import annotations

from memplanner.export.head import comment, one_line, origin
from memplanner.export.target import ExportTarget, Subject
from memplanner.plan.file import dump_plan


class PlanFile(ExportTarget):
    """Every key of the plan."""

    name = "plan"
    title = "Plan as YAML"
    explanation = "Opens again with everything intact."
    file_name = "plan.yaml"
    carries_use = True
    order = 90

    def text(self, subject: Subject, cannot_say: tuple[str, ...]) -> str:
        """The plan, below a comment that names its model and device."""
        source = one_line(subject.model.source)
        head = comment(
            [f"A memplanner plan, made for {origin(subject)}.", f"The model's source: {source}"]
        )
        return head + dump_plan(subject.plan)
