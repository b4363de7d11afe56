"""The section ``sharding``: how model, data and state are split over many cards."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from pydantic import model_validator

from memplanner.plan.factoring import divisors, nearest
from memplanner.plan.section import Section, option
from memplanner.plan.sharding_choices import (
    DataParallel,
    Engine,
    Overlap,
    Place,
    Reduction,
    Rotation,
    Schedule,
)

_ZERO_3_ONLY = frozenset(
    {
        "prefetch_bucket_size",
        "param_persistence_threshold",
        "max_live_parameters",
        "max_reuse_distance",
        "sub_group_size",
    }
)
"""DeepSpeed's settings that the other stages have no use for."""


class Sharding(Section):
    """Cards, and the degrees by which each kind of parallelism splits the work."""

    title: ClassVar[str] = "Cards"
    explanation: ClassVar[str] = (
        "Splits model, data and state over several cards; the fullest one decides. "
        "What a card no longer holds it must be sent when it needs it, which takes time."
    )

    nodes: int = option(1, "Nodes", "Machines.", ge=1, le=2**14)
    cards_per_node: int = option(
        1, "Cards a node", "Cards in each machine.", ge=1, le=1024, suggestions=(1, 2, 4, 8, 16)
    )
    data: DataParallel = option(
        "replicated", "Data parallel", "What cards with other samples hold of the model."
    )
    engine: Engine = option("torch", "Engine", "Whose code splits the model over data cards.")
    replicas: int = option(
        1,
        "Replicas",
        "Hybrid sharding: groups of cards that each hold one whole sharded copy.",
        when="data=zero_2,zero_3",
        ge=1,
        le=2**14,
    )
    tensor: int = option(
        1,
        "Tensor parallel",
        "Cards over which each layer's matrices are split.",
        ge=1,
        le=1024,
        suggestions=(1, 2, 4, 8),
    )
    sequence_parallel: bool = option(
        False,
        "Sequence parallel",
        "Norms and residuals are split along the sequence over the same cards.",
    )
    loss_parallel: bool = option(
        False,
        "Loss parallel",
        "Each of these cards keeps the logits of its part of the vocabulary; none has them all.",
    )
    pipeline: int = option(
        1,
        "Pipeline parallel",
        "Cards over which the blocks are dealt out, as stages.",
        ge=1,
        le=1024,
        suggestions=(1, 2, 4, 8),
    )
    schedule: Schedule = option("1f1b", "Schedule", "The order of a stage's micro-batches.")
    stages_per_card: int = option(
        2,
        "Stages a card",
        "How many pieces of the model each card holds.",
        when="schedule=interleaved_1f1b,zero_bubble",
        ge=2,
        le=64,
    )
    stage_blocks: tuple[int, ...] = option(
        (),
        "Blocks a stage",
        "How many blocks each stage gets, such as 7, 8, 8, 9; empty for a balance by bytes.",
    )
    context: int = option(
        1,
        "Context parallel",
        "Cards over which each sequence is split; attention goes round in a ring.",
        ge=1,
        le=1024,
        suggestions=(1, 2, 4, 8),
    )
    context_rotation: Rotation = option(
        "all_gather",
        "Keys and values go round by",
        "How the cards of context parallelism come to each other's keys and values in a forward.",
    )
    expert: int = option(
        1,
        "Expert parallel",
        "Cards over which a mixture's experts are dealt out; they are data-parallel otherwise.",
        ge=1,
        le=1024,
        suggestions=(1, 2, 4, 8),
    )
    reduction: Reduction = option(
        "each_micro_batch",
        "Gradients are reduced",
        "When the cards' gradients are brought together.",
    )
    bucket_mib: int = option(
        25,
        "Bucket",
        "MiB of gradients that are reduced together.",
        when="data=replicated,zero_1",
        ge=1,
        le=2**14,
    )
    bucket_view: bool = option(
        False,
        "Gradients in buckets",
        "Gradients are views of the buckets: no second copy of them.",
        when="data=replicated,zero_1",
    )
    static_graph: bool = option(
        False,
        "Static graph",
        "Promises that every step uses the same parameters.",
        when="data=replicated,zero_1",
    )
    prefetch: int = option(
        0,
        "Prefetch",
        "Blocks that are gathered ahead of need beside torch's own one in backward.",
        when="data=zero_2,zero_3",
        ge=0,
        le=8,
    )
    card_link: float | None = option(
        None,
        "Link in a node",
        "GB/s that a card can send to others of its node; none for what its maker states.",
        gt=0,
        le=100_000,
    )
    node_link: float | None = option(
        None,
        "Link between nodes",
        "GB/s that each card can send to other nodes; 50 for 400 Gb/s a card. None: not known.",
        gt=0,
        le=100_000,
    )
    reduce_bucket_size: int = option(
        500_000_000,
        "Reduce bucket",
        "Elements of gradients that DeepSpeed reduces together; the buffer is always that large.",
        when="engine=deepspeed",
        ge=1,
        le=2**40,
    )
    allgather_bucket_size: int = option(
        500_000_000,
        "Gather bucket",
        "Elements gathered together after a step of ZeRO-1 or ZeRO-2, in place.",
        when="engine=deepspeed",
        ge=2,
        le=2**40,
    )
    prefetch_bucket_size: int = option(
        50_000_000,
        "Prefetch bucket",
        "ZeRO-3: elements of parameters that are gathered ahead of need.",
        when="engine=deepspeed",
        ge=0,
        le=2**40,
    )
    param_persistence_threshold: int = option(
        100_000,
        "Persistence threshold",
        "ZeRO-3: parameters of at most so many elements stay whole on every card.",
        when="engine=deepspeed",
        ge=0,
        le=2**40,
    )
    max_live_parameters: int = option(
        1_000_000_000,
        "Live parameters",
        "ZeRO-3: nothing is gathered ahead beyond so many gathered elements.",
        when="engine=deepspeed",
        ge=0,
        le=2**40,
    )
    max_reuse_distance: int = option(
        1_000_000_000,
        "Reuse distance",
        "ZeRO-3: parameters needed again within so many elements stay gathered.",
        when="engine=deepspeed",
        ge=0,
        le=2**40,
    )
    sub_group_size: int = option(
        1_000_000_000,
        "Update group",
        "ZeRO-3: elements of a card's share that are updated together.",
        when="engine=deepspeed",
        ge=1,
        le=2**40,
    )
    overlap_comm: Overlap = option(
        "auto", "Overlap", "Gradients are reduced while backward goes on.", when="engine=deepspeed"
    )
    contiguous_gradients: bool = option(
        True,
        "Contiguous gradients",
        "Gradients are copied into the bucket as they come.",
        when="engine=deepspeed",
    )
    offload_optimizer: Place = option(
        "none",
        "Optimizer lies in",
        "Where DeepSpeed keeps full-precision weights and states, and makes the update.",
        when="engine=deepspeed",
    )
    offload_parameters: Place = option(
        "none",
        "Parameters lie in",
        "ZeRO-3: where a card's share of the parameters is.",
        when="engine=deepspeed",
    )

    def takes_effect(self, name: str) -> bool:
        """As every section's; some of DeepSpeed's settings with ZeRO-3 only."""
        return super().takes_effect(name) and (name not in _ZERO_3_ONLY or self.data == "zero_3")

    @property
    def deepspeed(self) -> bool:
        """Whether DeepSpeed splits the work of several cards."""
        return self.engine == "deepspeed" and self.ranks > 1

    @property
    def splits_loss(self) -> bool:
        """Whether the loss is computed over a vocabulary that is split."""
        return self.loss_parallel and self.tensor > 1

    @property
    def overlaps_reductions(self) -> bool:
        """Whether DeepSpeed reduces gradients beside backward.

        ``runtime/zero/config.py: overlap_comm_valid``.
        """
        return self.overlap_comm == "on" or (self.overlap_comm == "auto" and self.data == "zero_3")

    @property
    def ranks(self) -> int:
        """How many cards there are."""
        return self.nodes * self.cards_per_node

    @property
    def data_degree(self) -> int:
        """Cards that see other samples: what the model-parallel degrees leave."""
        return self.ranks // (self.tensor * self.pipeline * self.context)

    @property
    def gradient_degree(self) -> int:
        """Cards whose gradients of the same parameters are brought together."""
        return self.data_degree * self.context

    @property
    def sequence_parts(self) -> int:
        """What divides a sequence: two pieces for each card of context, parts of these."""
        pieces = 2 * self.context if self.context > 1 else 1
        return pieces * (self.tensor if self.sequence_parallel else 1)

    @property
    def shard_degree(self) -> int:
        """Cards over which one copy of the state is split."""
        return self.data_degree * self.context // self.replicas

    @property
    def fully_sharded(self) -> bool:
        """Whether ZeRO-2 or ZeRO-3 has cards to share the parameters out to."""
        return self.data in {"zero_2", "zero_3"} and self.gradient_degree > 1

    @property
    def casts_parameters(self) -> bool:
        """Whether a mixed plan's parameters are cast as they are gathered, without autocast."""
        return self.fully_sharded

    @model_validator(mode="after")
    def _degrees_multiply(self) -> Sharding:
        degrees = {"tensor": self.tensor, "pipeline": self.pipeline, "context": self.context}
        taken = prod(degrees.values())
        if self.ranks % taken:
            named = " × ".join(f"{name} {degree}" for name, degree in degrees.items() if degree > 1)
            near = nearest(divisors(self.ranks), taken)
            raise ValueError(
                f"{named} does not divide {self.ranks} cards; choose degrees whose product is "
                f"{' or '.join(map(str, near))}"
            )
        if self.data_degree % self.replicas:
            near = nearest(divisors(self.data_degree), self.replicas)
            raise ValueError(
                f"{self.replicas} replicas do not divide {self.data_degree} "
                f"data-parallel cards; choose {' or '.join(map(str, near))}"
            )
        if self.data_degree % self.expert:
            near = nearest(divisors(self.data_degree), self.expert)
            raise ValueError(
                f"expert {self.expert} does not divide {self.data_degree} data-parallel cards; "
                f"choose {' or '.join(map(str, near))}"
            )
        return self

    @model_validator(mode="after")
    def _buckets_are_aligned(self) -> Sharding:
        """DeepSpeed refuses others (``stage_1_and_2.py: nccl_start_alignment_factor``)."""
        size = self.allgather_bucket_size
        if size % 2:
            raise ValueError(
                f"allgather_bucket_size {size} is odd; choose {size - 1} or {size + 1}"
            )
        return self

    @property
    def summary(self) -> str:
        """Such as ``16 cards, ZeRO-3 × 8, tensor 2``."""
        if self.ranks == 1:
            return "off"
        parts = [f"{self.ranks} cards"]
        if self.data_degree > 1:
            words = {
                "replicated": "DDP",
                "zero_1": "ZeRO-1",
                "zero_2": "ZeRO-2",
                "zero_3": "ZeRO-3",
            }
            parts.append(f"{words[self.data]} × {self.data_degree}")
        degrees = (("tensor", self.tensor), ("pipeline", self.pipeline), ("context", self.context))
        parts += [f"{name} {degree}" for name, degree in degrees if degree > 1]
        if self.expert > 1:
            parts.append(f"expert {self.expert}")
        return ", ".join(parts)
