"""Plans of every shape, for property tests."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from memplanner.plan import Plan, Section
from memplanner.plan.activation_checkpointing import OPERATIONS
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
    return _of_kind(kind, limits)


def _of_kind(kind: Any, limits: dict[str, Any]) -> st.SearchStrategy[Any]:
    if get_origin(kind) is UnionType:  # a value or None
        return st.none() | st.one_of(
            *(_of_kind(each, limits) for each in get_args(kind) if each is not NoneType)
        )
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(**limits)
    if kind is float:
        return st.floats(**limits, allow_nan=False)
    if get_origin(kind) is tuple and get_args(kind)[0] is int:
        return st.lists(st.integers(1, 64), max_size=3).map(tuple)
    name = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)
    if kind is str:
        return name | st.just("")
    return st.lists(name, max_size=3).map(tuple)


OWN_TEXTS = {
    ("activation_checkpointing", "modules"): ("model.layers.3", "model.layers.*.mlp", "mlp"),
    ("activation_offload", "modules"): ("model.layers.3", "model.layers.*.mlp", "down_proj"),
    ("pruning", "per_layer"): ("down_proj=0.25", "*.mlp.*=0.75", "*=0.1"),
    ("quantization", "per_layer"): ("down_proj=8", "*.mlp.*=nf4", "model.layers.0.*=16", "*=3"),
}
"""Fields that take texts of a form of their own; these name modules of a Llama."""
OWN_VALUES: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("activation_checkpointing", "operations"): st.lists(
        st.sampled_from(OPERATIONS), min_size=1, unique=True
    ).map(tuple),
    ("inference", "cache_bits"): st.sampled_from((2, 4, 8)),
    ("sharding", "allgather_bucket_size"): st.integers(1, 2**39).map(lambda half: 2 * half),
    **{key: st.lists(st.sampled_from(texts), max_size=3).map(tuple)
       for key, texts in OWN_TEXTS.items()},
}  # fmt: skip
"""Fields whose limits their types do not say."""


def _of_section(name: str, kind: type[Section]) -> st.SearchStrategy[Any]:
    drawn: st.SearchStrategy[Any] = st.fixed_dictionaries(
        {
            inner: OWN_VALUES.get((name, inner), _values(field))
            for inner, field in kind.model_fields.items()
        }
    )
    if name == "sharding":
        return st.tuples(drawn, _degrees()).map(lambda both: {**both[0], **both[1]})
    return drawn.filter(_optimizer_exists) if name == "optimizer" else drawn


@st.composite
def _degrees(draw: st.DrawFn) -> dict[str, int]:
    """Degrees of parallelism that multiply to the number of cards."""
    free = {name: draw(st.integers(0, 4)) for name in ("nodes", "cards_per_node")}
    left = sum(free.values())
    for name in ("tensor", "pipeline", "context"):
        free[name] = draw(st.integers(0, left))
        left -= free[name]
    free |= {name: draw(st.integers(0, left)) for name in ("replicas", "expert")}
    return {name: 2**exponent for name, exponent in free.items()}


def _optimizer_exists(values: dict[str, Any]) -> bool:
    name, implementation = values["name"], values["implementation"]
    if implementation == "fused":
        return name in FUSED
    return implementation not in FEW_BITS or name in IN_FEW_BITS


def plans(at_most: int | None = None) -> st.SearchStrategy[Plan]:
    """Any valid plan; new sections and fields are drawn by themselves.

    Of ``at_most`` sections, the others left at their defaults: more of such can be carried out.
    """
    parts: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in Plan.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            parts[name] = _of_section(name, kind)
        elif name != "schema_":
            parts[name] = _values(field)
    if at_most is None:
        return st.fixed_dictionaries(parts).map(Plan.model_validate)
    names = st.sets(st.sampled_from(sorted(parts)), max_size=at_most)
    return names.flatmap(
        lambda chosen: st.fixed_dictionaries({name: parts[name] for name in sorted(chosen)})
    ).map(Plan.model_validate)
