"""What the target device does differently from the meta device, applied where torch is called."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch.overrides import TorchFunctionMode

from memplanner.plan import Plan
from memplanner.tape.attention import attend
from memplanner.tape.autocast import Autocast
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.target import Target


class DeviceRules(TorchFunctionMode):
    """A function mode for one forward: attention kernel, autocast, fused dropout."""

    def __init__(self, target: Target, plan: Plan) -> None:
        super().__init__()
        self.target = target
        self.kernel = plan.attention.kernel
        dtype = autocast_type(plan)
        self.autocast = None if dtype is None else Autocast(target, dtype)

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # torch's own lack of types
        if self.autocast is not None:
            self.autocast.forget()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if self.autocast is not None:
            args, given = self.autocast.arguments(getattr(func, "__name__", ""), args, given)
        if func is F.scaled_dot_product_attention:
            return attend(self.target, self.kernel, *args, **given)
        if func is F.dropout and self.target.kind != "cpu":
            return _fused_dropout(*args, **given)
        return func(*args, **given)


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
