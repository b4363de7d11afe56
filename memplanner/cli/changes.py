"""What the terminal says of the plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from memplanner.errors import PlanError

if TYPE_CHECKING:
    from memplanner.model import Model
    from memplanner.plan import Plan


class PlanChanges:
    """A plan's file and the keys to change in it; read before the model, which takes longer.

    ``batch_size`` and ``sequence_length`` win over ``sets``, and these over the file. Raises
    ``PlanError``.
    """

    def __init__(
        self,
        file: Path | None,
        sets: list[str] | None,
        batch_size: int | None,
        sequence_length: int | None,
    ) -> None:
        from memplanner.plan.file import read_plan

        self._file = None if file is None else read_plan(file)
        self._values: dict[str, object] = {}
        for text in sets or ():
            key, separator, value = text.partition("=")
            if not separator:
                raise PlanError(f"--set {text}: write it as KEY=VALUE, such as precision=fp32.")
            self._values[key.strip()] = value.strip()
        if batch_size is not None:
            self._values["training.batch_size"] = batch_size
        if sequence_length is not None:
            self._values["training.sequence_length"] = sequence_length

    def plan(self, model: Model) -> Plan:
        """The file's plan, or else the model's first one, with the changes."""
        from memplanner.model.first_plan import default_plan

        planned = default_plan(model) if self._file is None else self._file
        return planned.with_values(self._values, origin="the terminal")
