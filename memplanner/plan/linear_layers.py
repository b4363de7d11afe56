"""The choice of linear layers, which the sections ``pruning`` and ``quantization`` have alike."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from memplanner.plan.section import choices, option

Layers = Annotated[
    Literal["all_but_head", "all", "named"],
    choices(
        ("all_but_head", "All linear but the head", "The head decides most; it stays as it is."),
        ("all", "All linear layers", "The head too."),
        ("named", "By name", "Those that the names or patterns choose."),
    ),
]


def names_option() -> Any:
    """The field ``target_modules``, which matters where ``layers`` is ``named``."""
    return option(
        (),
        "Names",
        "Names of layers such as q_proj, or patterns such as model.layers.*.mlp.*.",
        when="layers=named",
    )
