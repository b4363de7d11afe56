"""Where a model comes from: one file per source.

``load`` opens any source. Importing this package brings no torch, so that the presets can be
listed at once; ``load`` and ``Model`` bring it when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memplanner.model.loaded import Model as Model
    from memplanner.model.sources import load as load

__all__ = ["Model", "load"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from memplanner.model.sources import load

        return load
    if name == "Model":
        from memplanner.model.loaded import Model

        return Model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
