"""The mesh: which cards form groups, and for what."""

from __future__ import annotations

from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from memplanner.plan.sharding import Sharding

PIPELINE, REPLICAS, SHARDS, CONTEXT, TENSOR = "pipeline", "replicas", "shards", "context", "tensor"
DIMENSIONS = (PIPELINE, REPLICAS, SHARDS, CONTEXT, TENSOR)
"""From the outermost, whose neighbours are the farthest apart, to the innermost: as torchtitan."""
_SHARES = "shares"
"""Shards and context as one dimension."""


def sizes(section: Sharding) -> dict[str, int]:
    """How many cards lie along each dimension of the mesh."""
    return {
        PIPELINE: section.pipeline,
        REPLICAS: section.replicas,
        SHARDS: section.data_degree // section.replicas,
        CONTEXT: section.context,
        TENSOR: section.tensor,
    }


def make_mesh(section: Sharding, device_kind: str) -> DeviceMesh:
    """The mesh of all cards; a process group must be there."""
    found = sizes(section)
    return init_device_mesh(
        device_kind, tuple(found[name] for name in DIMENSIONS), mesh_dim_names=DIMENSIONS
    )


def data_place(section: Sharding, rank: int) -> int:
    """Which part of the data a rank trains on; the ranks of one model-parallel group share it."""
    return rank // (section.context * section.tensor) % section.data_degree


def data_mesh(mesh: DeviceMesh, section: Sharding) -> DeviceMesh:
    """The cards that share one copy of the parameters: one dimension, or two with replicas.

    Cards of one context-parallel group hold the same parameters, and share them as well, as
    torchtitan has it.
    """
    if section.context == 1:
        return mesh[SHARDS] if section.replicas == 1 else mesh[REPLICAS, SHARDS]
    shares = mesh[SHARDS, CONTEXT]._flatten(_SHARES)
    return shares if section.replicas == 1 else DeviceMesh._concatenate([mesh[REPLICAS], shares])
