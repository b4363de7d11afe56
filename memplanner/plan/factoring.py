"""Which cards and degrees go together: the valid values of each, and what follows a change.

A mesh of ``nodes × cards_per_node`` cards is valid where tensor × pipeline × context divides the
cards, and replicas and experts' degree divide what that leaves for data parallelism.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, isqrt
from typing import TYPE_CHECKING, Literal, cast

from annotated_types import Le

if TYPE_CHECKING:
    from memplanner.plan.sharding import Sharding

Degree = Literal["nodes", "cards_per_node", "replicas", "tensor", "pipeline", "context", "expert"]
DEGREES: tuple[Degree, ...] = (
    "nodes", "cards_per_node", "replicas", "tensor", "pipeline", "context", "expert",
)  # fmt: skip
"""The fields of the section that are numbers of cards."""


def degree_of(key: str) -> Degree | None:
    """The degree that a key of the plan is, such as ``sharding.tensor``; None for other keys."""
    return next((degree for degree in DEGREES if key == f"sharding.{degree}"), None)


def divisors(whole: int) -> tuple[int, ...]:
    """Every number that divides ``whole`` (1 or more), in order."""
    small = [number for number in range(1, isqrt(whole) + 1) if whole % number == 0]
    large = [whole // number for number in reversed(small) if number * number != whole]
    return (*small, *large)


def nearest(values: Sequence[int], asked: int) -> tuple[int, ...]:
    """The value next below ``asked`` and the one next above it, where there are such."""
    below = [value for value in values if value < asked]
    above = [value for value in values if value > asked]
    return (*([max(below)] if below else []), *([min(above)] if above else []))


def allowed(section: Sharding, degree: Degree) -> Sequence[int]:
    """The values that ``degree`` can take while the others keep theirs, in order.

    What follows it (replicas and experts, which only divide what data parallelism gets) is
    brought in line by ``changed``.
    """
    most = _most(section, degree)
    model_parallel = section.tensor * section.pipeline * section.context
    if degree in ("nodes", "cards_per_node"):
        others = section.ranks // getattr(section, degree)
        step = model_parallel // gcd(model_parallel, others)
        return range(step, most + 1, step)
    if degree in ("replicas", "expert"):
        whole = section.data_degree
    else:
        whole = section.ranks // (model_parallel // getattr(section, degree))
    return tuple(value for value in divisors(whole) if value <= most)


def changed(section: Sharding, degree: Degree, value: int) -> Sharding:
    """The section with ``degree`` at ``value``, and with what follows from it.

    Data parallelism gets what is left. Replicas and experts keep the largest part of their degree
    that still divides; stages by hand are dropped where there are other stages. Raises
    pydantic's ``ValidationError`` where ``value`` is not one of ``allowed``.
    """
    update: dict[str, object] = {degree: value}
    numbers = {name: getattr(section, name) for name in DEGREES} | {degree: value}
    ranks = numbers["nodes"] * numbers["cards_per_node"]
    data = ranks // (numbers["tensor"] * numbers["pipeline"] * numbers["context"])
    if degree != "replicas":
        update["replicas"] = gcd(section.replicas, max(data, 1))
    if degree != "expert":
        update["expert"] = gcd(section.expert, max(data, 1))
    if numbers["pipeline"] != section.pipeline:
        update["stage_blocks"] = ()
    return type(section).model_validate(section.model_dump() | update)


def _most(section: Sharding, degree: Degree) -> int:
    """The largest value that the field itself takes."""
    limits = type(section).model_fields[degree].metadata
    return cast("int", next(limit.le for limit in limits if isinstance(limit, Le)))
