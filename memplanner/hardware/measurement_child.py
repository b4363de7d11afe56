"""A process that takes a CUDA context and works, while its parent reads the card's memory.

``python -m memplanner.hardware.measurement_child cuda:0``. After each stage it writes a line of
JSON with what torch's allocator has reserved, and waits for a line before it goes on.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def main(device: str) -> None:
    """Two stages: one tensor, then a small training step in single and in half precision."""
    import torch

    def report(stage: str) -> None:
        torch.cuda.synchronize(device)
        facts = {
            "stage": stage,
            "reserved_bytes": torch.cuda.memory_reserved(device),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
        }
        print(json.dumps(facts), flush=True)
        sys.stdin.readline()

    torch.zeros(1, device=device)
    report("context")
    newer = torch.cuda.get_device_capability(device)[0] >= 8
    for dtype in (torch.float32, torch.bfloat16 if newer else torch.float16):
        train(torch.device(device), dtype)
    report("kernels")


def train(device: torch.device, dtype: torch.dtype) -> None:
    """Forward, backward and optimizer step of what most models are made of, on few values."""
    import torch
    import torch.nn.functional as F  # noqa: N812  (torch's own convention)

    def random(*size: int) -> torch.Tensor:
        return torch.randn(*size, device=device, dtype=dtype)

    weight, kernel = random(256, 256), random(32, 16, 3, 3)
    for trained in (weight, kernel):
        trained.requires_grad_()
    hidden = F.gelu(F.layer_norm(random(64, 256) @ weight, (256,)))
    parts = hidden.view(1, 4, 64, 64)
    attended = F.scaled_dot_product_attention(parts, parts, parts, is_causal=True)
    labels = torch.zeros(64, device=device, dtype=torch.long)
    images = F.conv2d(random(4, 16, 32, 32), kernel, padding=1).float()
    loss = F.cross_entropy(attended.reshape(64, 256).float(), labels)
    loss = loss + F.batch_norm(images, None, None, training=True).relu().mean()
    loss.backward()
    torch.optim.AdamW([weight, kernel]).step()


if __name__ == "__main__":
    main(sys.argv[1])
