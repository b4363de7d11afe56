"""The choices of the section ``sharding``, with the words that explain them."""

from __future__ import annotations

from typing import Annotated, Literal

from memplanner.plan.section import choices

DataParallel = Annotated[
    Literal["replicated", "zero_1", "zero_2", "zero_3"],
    choices(
        (
            "replicated",
            "Replicated (DDP)",
            "Every card holds the whole model; gradients are averaged in buckets.",
        ),
        (
            "zero_1",
            "ZeRO-1",
            "As replicated, but each card keeps the optimizer's state of its share only.",
        ),
        (
            "zero_2",
            "ZeRO-2",
            "Gradients too are kept as shares; gathered parameters stay until backward used them.",
        ),
        (
            "zero_3",
            "ZeRO-3 (FSDP)",
            "Parameters too: each block is gathered right before it is used, and freed after.",
        ),
    ),
]
Schedule = Annotated[
    Literal["1f1b", "gpipe", "interleaved_1f1b", "zero_bubble"],
    choices(
        ("1f1b", "1F1B", "Backward follows as soon as it can: few micro-batches in flight."),
        ("gpipe", "GPipe", "All forwards, then all backwards: every micro-batch in flight."),
        (
            "interleaved_1f1b",
            "Interleaved 1F1B",
            "Several stages a card: less idle time, more micro-batches in flight.",
        ),
        (
            "zero_bubble",
            "Zero bubble",
            "As interleaved, with the gradients of weights computed in idle moments.",
        ),
    ),
]
Reduction = Annotated[
    Literal["each_micro_batch", "last_micro_batch"],
    choices(
        (
            "each_micro_batch",
            "Every micro-batch",
            "Gradients are reduced after each backward, and kept as shares.",
        ),
        (
            "last_micro_batch",
            "The last one only",
            "Less traffic; whole gradients stay on every card until the last backward.",
        ),
    ),
]

Rotation = Annotated[
    Literal["all_gather", "all_to_all"],
    choices(
        ("all_gather", "All-gather", "Keys and values of all cards at once; torch's default."),
        ("all_to_all", "All-to-all", "One card's after the other: less memory, more calls."),
    ),
]
Engine = Annotated[
    Literal["torch", "deepspeed"],
    choices(
        ("torch", "torch", "DDP, ZeroRedundancyOptimizer and FSDP2; recorded as they run."),
        ("deepspeed", "DeepSpeed", "ZeRO with DeepSpeed's buffers; planned and exported."),
    ),
]
Overlap = Annotated[
    Literal["auto", "on", "off"],
    choices(
        ("auto", "DeepSpeed's default", "On for ZeRO-3, off for ZeRO-1 and ZeRO-2."),
        ("on", "On", "Faster; ZeRO-1 and ZeRO-2 take a second bucket."),
        ("off", "Off", "Computation waits for communication."),
    ),
]
Place = Annotated[
    Literal["none", "host", "nvme"],
    choices(
        ("none", "None: on the card", "It stays on the card."),
        ("host", "Host memory", "In pinned memory of the card's machine."),
        ("nvme", "NVMe", "On a disk, through buffers in host memory. ZeRO-3 only."),
    ),
]
