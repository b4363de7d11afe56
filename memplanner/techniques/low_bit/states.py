"""What optimizers in few bits keep, allocated without the libraries: for weightless parameters.

Each class allocates storage for storage what the library's optimizer allocates, and updates
nothing. The libraries' own tests of size decide which states stay in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

SMALLEST = 4096
"""Parameters with fewer elements keep states in full, in both libraries."""
BITSANDBYTES_BLOCK = 256
"""Numbers that share a scale (bitsandbytes/optim/optimizer.py: ``Optimizer2State.init_state``)."""
SMALLEST_PAGED = 100_000
"""Smaller states are not paged (bitsandbytes/optim/optimizer.py: ``get_state_buffer``)."""
TORCHAO_BLOCK = {8: 256, 4: 128}
"""Numbers that share a scale (torchao/optim/adam.py: ``AdamW8bit``, ``AdamW4bit``)."""

State = dict[str, torch.Tensor]


class WeightlessAdam(torch.optim.Optimizer):
    """Makes its states in the first step; the values of meta tensors need no update."""

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        make_state: Callable[[torch.Tensor], State],
        use_temporaries: Callable[[torch.Tensor, State], None] | None = None,
    ) -> None:
        """``use_temporaries`` makes and drops what an update of one parameter takes meanwhile."""
        super().__init__(parameters, {})
        self._make_state = make_state
        self._use_temporaries = use_temporaries

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch returns a loss
        """Makes what is missing."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if not self.state[parameter]:
                    self.state[parameter].update(self._make_state(parameter))
                if not parameter.grad.is_contiguous():  # as bitsandbytes' update_step does
                    parameter.grad = parameter.grad.contiguous()
                if self._use_temporaries is not None:
                    self._use_temporaries(parameter, self.state[parameter])


def bitsandbytes_states(*, paged: bool) -> Callable[[torch.Tensor], State]:
    """Makes the states of bitsandbytes' AdamW8bit.

    One byte a number and state, an fp32 scale for 256, and two tables of 256 fp32 levels that
    all parameters share. A paged state is memory that torch does not know of: it has no storage.
    """
    shared: State = {}

    def make(parameter: torch.Tensor) -> State:
        count = parameter.numel()
        if count < SMALLEST:
            return {
                name: torch.zeros_like(parameter, dtype=torch.float32)
                for name in ("state1", "state2")
            }
        for name in ("qmap1", "qmap2"):
            if name not in shared:
                shared[name] = torch.empty(256, device=parameter.device)
        blocks = -(-count // BITSANDBYTES_BLOCK)
        state = dict(shared)
        for number in (1, 2):
            state[f"state{number}"] = (
                torch.empty(0, dtype=torch.uint8, device=parameter.device)
                if paged and count >= SMALLEST_PAGED
                else torch.zeros_like(parameter, dtype=torch.uint8)
            )
            state[f"absmax{number}"] = torch.zeros(blocks, device=parameter.device)
        return state

    return make


def bitsandbytes_temporaries_on_cpu(parameter: torch.Tensor, state: State) -> None:
    """Makes and drops what bitsandbytes' update takes on the CPU; on CUDA it takes nothing.

    It expands both states and the gradient to fp32 (bitsandbytes/backends/cpu/ops.py:
    ``_optimizer_update_8bit_blockwise_cpu``, ``_optimizer_update_32bit_cpu``).
    """
    assert parameter.grad is not None
    meanwhile = [parameter.grad.float() * 1.0, parameter.detach().float()]
    if state["state1"].dtype is torch.float32:
        meanwhile.append(state["state1"] / (state["state2"].sqrt() + 1.0))
        return
    meanwhile += [torch.empty_like(parameter, dtype=torch.float32) for _ in range(2)]
    meanwhile.append(meanwhile[-1].sqrt() / 1.0)


def torchao_states(bits: int) -> Callable[[torch.Tensor], State]:
    """Makes the states of torchao's AdamW8bit or AdamW4bit.

    Codes, an fp32 scale a block and a table of 2^bits fp32 levels for each state, and a step
    counter in host memory. A parameter that is small, or no whole number of blocks, keeps its
    states in its own type.
    """
    block = TORCHAO_BLOCK[bits]

    def make(parameter: torch.Tensor) -> State:
        count, device = parameter.numel(), parameter.device
        state: State = {"step": torch.tensor(0.0)}
        for name in ("exp_avg", "exp_avg_sq"):
            if count < SMALLEST or count % block:
                state[name] = torch.zeros_like(parameter)
                continue
            state[f"{name}.codes"] = torch.zeros(
                count * bits // 8, dtype=torch.uint8, device=device
            )
            state[f"{name}.scale"] = torch.zeros(count // block, device=device)
            state[f"{name}.qmap"] = torch.empty(2**bits, device=device)
        return state

    return make
