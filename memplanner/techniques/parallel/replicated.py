"""Replicated data parallelism by DDP, and ZeRO-1 by torch's ZeroRedundancyOptimizer over it."""

# No postponed annotations here: DDP reads those of its hook.

from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import GradBucket
from torch.distributed.device_mesh import DeviceMesh
from torch.nn.parallel import DistributedDataParallel

from memplanner.plan.sharding import Sharding


def replicate(module: nn.Module, mesh: DeviceMesh, section: Sharding) -> nn.Module:
    """The module in a DDP that averages gradients over ``mesh``, in buckets.

    Of layers that are split, those of this rank's parts.
    """
    if section.tensor > 1:
        from memplanner.techniques.parallel.local_parts import hold_local_parts  # takes a while

        hold_local_parts(module)
    weightless = any(part.is_meta for part in module.parameters())
    wrapped = DistributedDataParallel(
        module,
        process_group=mesh.get_group(),
        bucket_cap_mb=section.bucket_mib,
        gradient_as_bucket_view=section.bucket_view,
        static_graph=section.static_graph,
        init_sync=not weightless,  # there is nobody to agree with
    )
    if weightless:
        wrapped.register_comm_hook(mesh.get_group(), _average_alone)
    return wrapped


def _average_alone(group: Any, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
    """Averages a bucket as ``allreduce_hook`` does; the fake process group answers nothing."""
    buffer = bucket.buffer().div_(dist.get_world_size(group))
    dist.all_reduce(buffer, group=group)
    answer: torch.futures.Future[torch.Tensor] = torch.futures.Future()
    answer.set_result(buffer)
    return answer
