"""Train cnn (Classifier) on H100 80GB, as planned with memplanner.

One step takes 1 sample.
"""

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import torch
from safetensors.torch import save_model
from torch import nn

RECIPE = "/models/cnn.py"
BATCH_SIZE = 1


def import_recipe() -> ModuleType:
    """The module with ``model()`` and ``batch(batch_size, sequence_length)``."""
    specification = importlib.util.spec_from_file_location("recipe", RECIPE)
    module = importlib.util.module_from_spec(specification)
    sys.modules["recipe"] = module
    sys.path.append(str(Path(RECIPE).parent))
    specification.loader.exec_module(module)
    return module


recipe = import_recipe()


def build_model(device: torch.device) -> nn.Module:
    """The recipe's Classifier, in bf16."""
    model = recipe.model()
    model = model.to(device, torch.bfloat16).train()
    return model


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """SGD over the trainable parameters."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.SGD(
        parameters,
        lr=1e-05,
        weight_decay=0.01,
        momentum=0.9,
    )


def make_batch(device: torch.device) -> dict:
    """One micro-batch of the recipe's own data."""
    batch = recipe.batch(BATCH_SIZE, 2048)
    batch = {name: value.to(device) for name, value in batch.items()}
    for name, value in batch.items():
        if value.is_floating_point():
            batch[name] = value.to(torch.bfloat16)
    return batch


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
    parser = argparse.ArgumentParser(description="Train cnn")
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
