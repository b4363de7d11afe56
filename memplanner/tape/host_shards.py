"""FSDP2's offload on weightless ranks: shares in host memory, copies where a real rank makes them.

A weightless tensor has one device, so a move between host and card would be none. Each is made a
copy here, on the side where FSDP2 asks for it (``torch/distributed/fsdp/_fully_shard/
_fsdp_param.py: all_gather_inputs``, ``_fsdp_collectives.py: foreach_reduce``; names of torch 2.13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode

from memplanner.techniques.host_memory import in_host_memory


@contextmanager
def weightless_host_shards() -> Iterator[None]:
    """Inside it FSDP2's offload copies weightless tensors as it copies real ones."""
    from torch.distributed.fsdp._fully_shard import _fsdp_param_group
    from torch.distributed.fsdp._fully_shard._fsdp_collectives import foreach_reduce
    from torch.distributed.fsdp._fully_shard._fsdp_param import FSDPParam

    group = _fsdp_param_group.FSDPParamGroup
    own: Any = vars(FSDPParam)["all_gather_inputs"]
    inputs, reduce = own.fget, _to_host(foreach_reduce)
    with ExitStack() as stack:
        stack.enter_context(patch.object(group, "_validate_cpu_offload_params", lambda group: None))
        stack.enter_context(patch.object(FSDPParam, "all_gather_inputs", _to_device(inputs)))
        stack.enter_context(patch.object(_fsdp_param_group, "foreach_reduce", reduce))
        yield


def _to_device(inputs: Callable[[Any], list[torch.Tensor]]) -> property:
    @wraps(inputs)
    def copied(parameter: Any) -> list[torch.Tensor]:
        if not parameter.offload_to_cpu:
            return inputs(parameter)
        share = parameter._sharded_param_data
        parameter._sharded_param_data = torch.empty_like(share).copy_(share)
        try:
            return inputs(parameter)
        finally:
            parameter._sharded_param_data = share

    return property(copied)


def _to_host(reduce: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(reduce)
    def copied(parameters: Any, *args: Any, **kwargs: Any) -> Any:
        if not any(parameter.offload_to_cpu for parameter in parameters):
            return reduce(parameters, *args, **kwargs)
        with _CopiesToHost():
            return reduce(parameters, *args, **kwargs)

    return copied


class _CopiesToHost(TorchFunctionMode):
    """Gives weightless tensors that are asked to the CPU as weightless ones in host memory."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.Tensor.to and args[0].is_meta and args[1:] == (torch.device("cpu"),):
            with in_host_memory():
                return torch.empty_like(args[0]).copy_(args[0])
        return func(*args, **(kwargs or {}))
