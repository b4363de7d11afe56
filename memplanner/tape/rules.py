"""What the target device does differently from the meta device, applied where torch is called."""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch.overrides import TorchFunctionMode

from memplanner.plan import Plan
from memplanner.tape.attention import attend, choice
from memplanner.tape.autocast import Autocast
from memplanner.tape.softmax import SOFTMAX, WIDENING_KINDS, widened
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.target import Target


class DeviceRules(TorchFunctionMode):
    """A function mode for one forward: attention kernel, autocast, fused dropout."""

    def __init__(self, target: Target, plan: Plan) -> None:
        super().__init__()
        self.target = target
        self.kernel = plan.attention.kernel
        self._depth = 0
        dtype = autocast_type(plan)
        self.autocast = None if dtype is None else Autocast(target, dtype)

    def __enter__(self) -> DeviceRules:
        self._depth += 1
        super().__enter__()  # type: ignore[no-untyped-call]  # torch's own lack of types
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # torch's own lack of types
        self._depth -= 1
        if self.autocast is not None and not self._depth:
            self.autocast.forget()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if self.autocast is None and func not in _CHANGED:
            return func(*args, **given)
        if self._opens(func):
            with self:  # what it calls is cast or routed, not the function itself
                return _opened(func)(*args, **given)
        if self.target.kind in WIDENING_KINDS:
            result = widened(func, args, given, autocast=self.autocast is not None)
            if result is not None:
                return result
        if self.autocast is not None:
            name = getattr(func, "__name__", "")
            args, given = self.autocast.arguments(name, args, given)
        if func in _NEEDS_CPU and args[0].is_meta:
            return func(args[0].detach().cpu(), *args[1:], **given)
        if func is torch._fused_sdp_choice:
            return choice(self.target, self.kernel, *args, **given)
        if func is F.scaled_dot_product_attention:
            return attend(self.target, self.kernel, *args, **given)
        if func is F.dropout and self.target.kind != "cpu":
            return _fused_dropout(*args, **given)
        return func(*args, **given)

    def _opens(self, func: Any) -> bool:
        if func is F.multi_head_attention_forward:  # it calls what is routed
            return True
        return (
            self.autocast is not None
            and func not in _ROUTED
            and _is_composite(func)
            and not self.autocast.casts(func.__name__)
        )


_READS: tuple[Any, ...] = (
    torch.Tensor.numpy,
    torch.Tensor.__array__,
    torch.Tensor.__format__,
)
_NEEDS_CPU = frozenset(_READS)
"""What reads a tensor's values where no dispatch mode sees it: on a copy, which one does see."""

_ROUTED = frozenset({F.scaled_dot_product_attention, F.dropout})


_CHANGED = (
    _ROUTED | _NEEDS_CPU | SOFTMAX | {F.multi_head_attention_forward, torch._fused_sdp_choice}
)
"""All that is called otherwise where nothing is cast."""


def _is_composite(func: Any) -> bool:
    """Whether a function is Python code of ``torch.nn.functional`` that calls others.

    Not one with a closure: those choose between two functions (``max_pool2d``) that ask again.
    """
    return (
        isinstance(func, FunctionType)
        and func.__module__ == F.__name__
        and func.__closure__ is None
    )


@cache
def _opened(func: FunctionType) -> FunctionType:
    """The function without its first question, whether a mode wants it: the mode wants its calls.

    Outside a mode torch's own autocast sees these calls one by one; this does the same.
    """
    names = {**func.__globals__}
    for question in (
        "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"
    ):  # fmt: skip
        names[question] = _no_mode_wants_it
    opened = FunctionType(func.__code__, names, func.__name__, func.__defaults__, func.__closure__)
    opened.__kwdefaults__ = func.__kwdefaults__
    return opened


def _no_mode_wants_it(*tensors: Any) -> bool:
    return False


def _fused_dropout(
    input: torch.Tensor,  # noqa: A002  (torch's own name of the argument)
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> torch.Tensor:
    """Dropout as CUDA computes it: one kernel that keeps a mask of booleans."""
    if inplace or not training or p == 0.0 or p == 1.0:
        return F.dropout(input, p, training, inplace)
    result: torch.Tensor = torch.ops.aten.native_dropout(input, p, True)[0]
    return result
