"""Train Net on H100 80GB, as planned with memplanner.

One step takes 1 sample of length 2048.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import save_file
from torch import nn

BATCH_SIZE = 1
SEQUENCE_LENGTH = 2048


def build_model(device: torch.device) -> nn.Module:
    """What tests.export.importable:Net makes, in bf16."""
    sys.path.append(os.getcwd())
    from tests.export.importable import Net

    model = Net()
    model = model.to(device, torch.bfloat16).train()
    model = add_adapters(model)
    return model


def add_adapters(model: nn.Module) -> nn.Module:
    """Freezes the model and puts low-rank matrices beside the chosen layers."""
    model.requires_grad_(False)
    config = LoraConfig(
        r=16,
        lora_alpha=4.5,
        lora_dropout=0.0,
        target_modules=["blocks.0", "blocks.1", "blocks.2"],
        bias="none",
    )
    model = inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.float()  # adapters train in fp32
            parameter.requires_grad_(True)
    return model


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Adafactor over the trainable parameters."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.Adafactor(
        parameters,
        lr=1e-05,
        weight_decay=0.01,
    )


def make_batch(device: torch.device) -> dict:
    """One micro-batch of random data."""
    return {
        "ids": torch.randint(0, 2, (BATCH_SIZE, SEQUENCE_LENGTH), device=device),
        "scale": torch.randn((1,), dtype=torch.bfloat16, device=device),
        "flag": torch.randint(0, 2, (BATCH_SIZE,), dtype=torch.bool, device=device),
    }


def make_batches(device: torch.device) -> Iterator[dict]:
    """Micro-batches without end."""
    while True:
        yield make_batch(device)


def loss_of(output) -> torch.Tensor:
    """`.loss` of what the model returned, else its key "loss", else the sum of its first tensor."""
    loss = getattr(output, "loss", None)
    if loss is None and isinstance(output, Mapping):
        loss = output.get("loss")
    if loss is None:
        loss = next(tensor for tensor in tensors_in(output) if tensor.requires_grad)
    return loss if loss.dim() == 0 else loss.sum()


def tensors_in(value) -> Iterator[torch.Tensor]:
    """Every tensor in nested lists and mappings."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)


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
        loss = loss_of(output)
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
    parser = argparse.ArgumentParser(description="Train Net")
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
        trained = {n: p.contiguous() for n, p in model.named_parameters() if p.requires_grad}
        save_file(trained, arguments.output)


if __name__ == "__main__":
    main()
