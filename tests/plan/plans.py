"""Plans of every shape, for property tests."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from memplanner.plan import Plan, Section
from memplanner.plan.optimizer import FEW_BITS, FUSED, IN_FEW_BITS


def _values(field: FieldInfo) -> st.SearchStrategy[Any]:
    limits: dict[str, Any] = {}
    for limit in field.metadata:
        match limit:
            case Ge(ge=low):
                limits["min_value"] = low
            case Gt(gt=low):
                limits |= {"min_value": low, "exclude_min": True}
            case Le(le=high):
                limits["max_value"] = high
            case Lt(lt=high):
                limits |= {"max_value": high, "exclude_max": True}
            case _:
                pass
    kind = field.annotation
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(**limits)
    if kind is float:
        return st.floats(**limits, allow_nan=False)
    name = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)
    return st.lists(name, max_size=3).map(tuple)


def _exists(values: dict[str, Any]) -> bool:
    name, implementation = (values["optimizer"][key] for key in ("name", "implementation"))
    if implementation == "fused":
        return name in FUSED
    return implementation not in FEW_BITS or name in IN_FEW_BITS


def plans() -> st.SearchStrategy[Plan]:
    """Any valid plan; new sections and fields are drawn by themselves."""
    parts: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in Plan.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            parts[name] = st.fixed_dictionaries(
                {inner: _values(value) for inner, value in kind.model_fields.items()}
            )
        elif name != "schema_":
            parts[name] = _values(field)
    return st.fixed_dictionaries(parts).filter(_exists).map(Plan.model_validate)
