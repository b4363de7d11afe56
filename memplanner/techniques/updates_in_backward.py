"""Updates inside of backward: each parameter as soon as its gradient is accumulated.

Source: pytorch/tutorials ``optimizer_step_in_backward_tutorial.py``: an optimizer for each
parameter, stepped by ``Tensor.register_post_accumulate_grad_hook``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import WeakMethod

import torch
from torch import nn

Around = Callable[[torch.Tensor, dict[str, Any]], AbstractContextManager[object]]
"""The context of an update: of a parameter, with what the optimizer keeps for it."""


class UpdatesInBackward(torch.optim.Optimizer):
    """Optimizers of one parameter each; together they look like one whose step has been made.

    ``around`` is what whoever watches the updates gives them to run in.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        make: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    ) -> None:
        super().__init__(parameters, {})
        self.around: Around = _no_context
        self._optimizers: dict[torch.Tensor, torch.optim.Optimizer] = {}
        for parameter in parameters:
            own = self._optimizers[parameter] = make([parameter])
            self.state.update(own.state)  # Adagrad has one already
            own.state = self.state
            parameter.register_post_accumulate_grad_hook(_Hook(self.update))

    @property
    def optimizers(self) -> Iterable[torch.optim.Optimizer]:
        """Those of one parameter each."""
        return self._optimizers.values()

    def update(self, parameter: torch.Tensor) -> None:
        """Updates one parameter and lets go of its gradient."""
        with self.around(parameter, self.state[parameter]):
            self._optimizers[parameter].step()
            parameter.grad = None

    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch returns a loss
        """Nothing: backward has done it."""


class _Hook:
    """Calls the update as long as the optimizer lives; parameters do not keep it alive."""

    def __init__(self, update: Callable[[torch.Tensor], None]) -> None:
        self._update = WeakMethod(update)

    def __call__(self, parameter: torch.Tensor) -> None:
        update = self._update()
        if update is not None:
            update(parameter)


def _no_context(parameter: torch.Tensor, state: dict[str, Any]) -> AbstractContextManager[object]:
    return nullcontext()
