"""Train vit-b-16 (ViTForImageClassification) on H100 80GB, as planned with memplanner.

One step takes 1 sample.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_model
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import ViTConfig, ViTForImageClassification

CONFIG = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "qkv_bias": True,
    "encoder_stride": 16,
    "pooler_output_size": 768,
    "pooler_act": "tanh",
    "num_labels": 1000,
}
BATCH_SIZE = 1
BLOCKS = ("vit.layers",)


def build_model(device: torch.device) -> nn.Module:
    """ViTForImageClassification with random weights, in bf16."""
    model = ViTForImageClassification(ViTConfig(**CONFIG))
    model.set_attn_implementation("sdpa")
    model = model.to(device, torch.bfloat16).train()
    checkpoint_blocks(model)
    return model


def checkpoint_blocks(model: nn.Module) -> None:
    """Each block keeps its input only and runs forward again in backward."""
    for path in BLOCKS:
        for block in model.get_submodule(path).children():
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW over the trainable parameters."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(
        parameters,
        lr=1e-05,
        weight_decay=0.01,
    )


def make_batch(device: torch.device) -> dict:
    """One micro-batch of random data."""
    return {
        "pixel_values": torch.randn(BATCH_SIZE, 3, 224, 224, dtype=torch.bfloat16, device=device),
        "labels": torch.randint(0, 1000, (BATCH_SIZE,), device=device),
    }


def make_batches(device: torch.device) -> Iterator[dict]:
    """Micro-batches without end."""
    while True:
        yield make_batch(device)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterator[dict],
    steps: int,
    device: torch.device,
) -> None:
    """Runs optimizer steps and prints the loss and the peak memory of each."""
    for step in range(1, steps + 1):
        batch = next(batches)
        output = model(**batch)
        loss = output.loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        print(f"step {step}: loss {loss.item():.4f}, {peak_memory(device)}", flush=True)
        del batch, output, loss


def peak_memory(device: torch.device) -> str:
    """The most that tensors took since the last call; on the CPU, the whole process so far."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return f"peak {peak / 2**30:.2f} GiB allocated"
    try:
        import resource
    except ImportError:  # Windows
        return "peak not measured"
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f"peak {peak / 2**30:.2f} GiB of the process"


def main() -> None:
    """Reads the command line and trains."""
    parser = argparse.ArgumentParser(description="Train vit-b-16")
    parser.add_argument("--steps", type=int, default=10, help="optimizer steps")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--output", type=Path, help="a .safetensors file for what was trained")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    device = torch.device(arguments.device)
    model = build_model(device)
    optimizer = build_optimizer(model)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"{trainable} trainable parameters on {device}", flush=True)
    batches = make_batches(device)
    peak_memory(device)  # what building took does not count
    train(model, optimizer, batches, arguments.steps, device)
    if arguments.output is not None:
        save_model(model, arguments.output)


if __name__ == "__main__":
    main()
