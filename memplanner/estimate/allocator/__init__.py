"""What torch's CUDA caching allocator makes of a step: reserved memory beside allocated.

``settings`` reads ``PYTORCH_CUDA_ALLOC_CONF``, ``caching`` and ``expandable`` model the allocator
of torch 2.13 (``c10/cuda/CUDACachingAllocator.cpp``; names in the docstrings are its functions),
``loop`` turns the tape of one steady step into a training run from process start, ``replay`` takes
it through the allocator, ``history`` holds the model against what a card recorded.
"""

from memplanner.estimate.allocator.loop import TrainingLoop, training_loop
from memplanner.estimate.allocator.replay import replay
from memplanner.estimate.allocator.results import LoopReplay, OutOfMemory, Reservation
from memplanner.estimate.allocator.settings import AllocatorSettings

__all__ = [
    "AllocatorSettings",
    "LoopReplay",
    "OutOfMemory",
    "Reservation",
    "TrainingLoop",
    "replay",
    "training_loop",
]
