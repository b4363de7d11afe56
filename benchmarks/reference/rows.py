"""The rows of the reference table: published peaks, their conditions, and our reading of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from memplanner.plan import Plan
from memplanner.units import parse_bytes

ROWS = Path(__file__).with_name("rows.yaml")

Metric = Literal["allocated", "reserved", "device"]
"""Which figure was published: ``torch.cuda.max_memory_allocated``, ``max_memory_reserved``, or
what the whole card held."""


class RowsError(Exception):
    """The file of rows says something that cannot be predicted; the message says where."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Entry):
    """A public document with measured peaks."""

    title: str
    file: str
    """Repository and path."""
    reading: str
    """How its figures were made, and what was read in its code, for all its rows."""


class Otherwise(_Entry):
    """Another reading of a row, which is predicted too, for comparison."""

    reading: str
    load: str = ""
    """Another model than the row's."""
    changes: dict[str, Any] = {}
    """What is changed in the row's plan."""
    allocator: str | None = None
    """Other settings of the allocator than the row's; None for the same."""


class Row(_Entry):
    """One published peak. Either it is predicted (``load``, ``device``, ``plan``) or not yet."""

    id: str
    source: str
    model: str
    conditions: str
    measured: str
    """As published, such as ``4.82`` or ``72–80``."""
    unit: Literal["GB", "GiB"]
    metric: Metric
    complete: bool = True
    """Whether the source states everything that the peak depends on."""
    reading: str = ""
    """What was assumed where the source leaves something open."""
    otherwise: Otherwise | None = None
    cause: str = ""
    """Of an error above 3 %, as far as it can be shown."""
    load: str = ""
    """What ``memplanner.load`` opens."""
    inputs: tuple[str, ...] = ()
    device: str = ""
    card_gb: int = 0
    """Memory of the card that it ran on, where the catalogue has none such and ``device`` is
    another: whether a plan is possible is asked of that one."""
    allocator: str = ""
    """What ``PYTORCH_CUDA_ALLOC_CONF`` said in the run; empty for nothing."""
    plan: dict[str, Any] = {}
    not_yet: str = ""
    """Why a plan cannot say this row."""

    @model_validator(mode="after")
    def _predicted_or_not(self) -> Self:
        if bool(self.not_yet) == bool(self.load):
            raise ValueError(f"{self.id} needs either load or not_yet")
        if self.load and not self.device:
            raise ValueError(f"{self.id} names no device")
        if self.load and self.measured_bytes <= 0:
            raise ValueError(f"{self.id} has no measured size")
        return self

    @property
    def measured_bytes(self) -> int:
        """The published peak, of a range its middle. Raises ``ValueError`` where it is no size."""
        ends = [parse_bytes(f"{end} {self.unit}") for end in self.measured.split("–")]
        return sum(ends) // len(ends)

    def as_plan(self) -> Plan:
        """The plan of a row that is predicted. Raises ``PlanError``."""
        return Plan.parse(self.plan, origin=self.id)


class Reference(_Entry):
    """The whole table."""

    sources: dict[str, Source]
    rows: tuple[Row, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        seen: set[str] = set()
        for row in self.rows:
            if row.id in seen:
                raise ValueError(f"{row.id} is there twice")
            if row.source not in self.sources:
                raise ValueError(f"{row.id} names the source {row.source}, which is not listed")
            seen.add(row.id)
        return self

    @property
    def predicted(self) -> tuple[Row, ...]:
        """The rows that a plan can say."""
        return tuple(row for row in self.rows if row.load)

    @property
    def not_yet(self) -> tuple[Row, ...]:
        """The rows that no plan can say."""
        return tuple(row for row in self.rows if row.not_yet)


def read_rows(path: Path = ROWS) -> Reference:
    """The table in the YAML file ``path``. Raises ``RowsError`` with the place of a mistake."""
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return Reference.model_validate(values)
    except (OSError, YAMLError, ValidationError) as error:
        raise RowsError(f"{path}: {error}") from error
