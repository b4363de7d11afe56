"""Plan the memory that training a model takes.

>>> import memplanner as mp
>>> model = mp.load("preset:smollm2-135m")
>>> estimate = mp.estimate(model, mp.Plan(), device="H100 80GB")
>>> estimate.peak.by_category.parameters
269030016

Nothing heavy is imported until it is used: ``import memplanner`` brings no torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memplanner.estimate import estimate as estimate
    from memplanner.export import export as export
    from memplanner.model import load as load
    from memplanner.plan import Plan as Plan
    from memplanner.run.process import apply as apply
    from memplanner.run.reloading import load_compressed as load_compressed
    from memplanner.run.sensitivity_process import sensitivity as sensitivity
    from memplanner.search.answers import search as search
    from memplanner.search.answers import smallest_change as smallest_change
    from memplanner.techniques.bit_assignment import assign_bits as assign_bits

__version__ = "0.1.0"
__all__ = [
    "Plan",
    "__version__",
    "apply",
    "assign_bits",
    "estimate",
    "export",
    "load",
    "load_compressed",
    "search",
    "sensitivity",
    "smallest_change",
]

_HOMES = {
    "Plan": "memplanner.plan",
    "apply": "memplanner.run.process",
    "assign_bits": "memplanner.techniques.bit_assignment",
    "estimate": "memplanner.estimate",
    "export": "memplanner.export",
    "load": "memplanner.model",
    "load_compressed": "memplanner.run.reloading",
    "search": "memplanner.search.answers",
    "sensitivity": "memplanner.run.sensitivity_process",
    "smallest_change": "memplanner.search.answers",
}


class _Package(ModuleType):
    """Keeps ``memplanner.estimate`` the function although a subpackage has that name too."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        setattr(self, name, value)
        return value


sys.modules[__name__].__class__ = _Package
