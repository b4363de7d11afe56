"""Train llama (LlamaForCausalLM) on H100 80GB, as planned with memplanner.

One step takes 8 samples of length 2048.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import torch
from chunked_loss import chunk_loss
from host_updates import HostUpdates, on_host
from safetensors.torch import save_model
from streamed_blocks import settle, stream_blocks
from torch import nn
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)
from transformers import LlamaConfig, LlamaForCausalLM

MODEL = "/models/llama"
BATCH_SIZE = 8
SEQUENCE_LENGTH = 2048
STREAMED = ("model.layers",)

# torch's kernels by the names below; an operation has several.
OPERATIONS = {
    torch.ops.aten.add: "add",
}
# What recomputed blocks keep: in each list, from one block to before another, the results of these
# operations, counted from 0 in a run of a block. Blocks that are not here keep everything.
KEPT = [("model.layers", 0, 4, [("add", 0), ("add", 4)])]


def build_model(device: torch.device) -> nn.Module:
    """LlamaForCausalLM with random weights, in bf16."""
    config = LlamaConfig.from_pretrained(MODEL)
    config.use_cache = False
    config.pad_token_id = 0
    model = LlamaForCausalLM(config)
    model.set_attn_implementation("sdpa")
    model = model.to(torch.bfloat16).train()
    checkpoint_blocks(model)
    chunk_loss(model, chunks=8, recomputed=True)
    make_room = partial(on_host, pin_memory=device.type == "cuda")
    for path in STREAMED:
        blocks = model.get_submodule(path).children()
        stream_blocks(blocks, make_room, device)
    model = model.to(device)
    return model


def checkpoint_blocks(model: nn.Module) -> None:
    """Blocks keep what KEPT says and run the rest of their forward again in backward."""
    for path, start, stop, kept in KEPT:
        for block in list(model.get_submodule(path).children())[start:stop]:
            block.forward = partial(
                checkpoint, block.forward, use_reentrant=False, context_fn=partial(contexts, kept)
            )


def contexts(kept: list):
    """The contexts of a block's forward and of its recomputation."""
    count = Counter()

    def keep(context, operation, *args, **kwargs) -> CheckpointPolicy:
        name = OPERATIONS.get(getattr(operation, "overloadpacket", operation))
        if name is None:
            return CheckpointPolicy.PREFER_RECOMPUTE
        number = count[context.is_recompute, name]
        count[context.is_recompute, name] += 1
        if (name, number) in kept:
            return CheckpointPolicy.MUST_SAVE
        return CheckpointPolicy.PREFER_RECOMPUTE

    return create_selective_checkpoint_contexts(keep)


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW over the trainable parameters."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    make = partial(
        torch.optim.AdamW,
        lr=1e-05,
        weight_decay=0.01,
    )
    device = parameters[0].device
    return HostUpdates(parameters, make, pin_memory=device.type == "cuda")


def make_batch(device: torch.device, ids: torch.Tensor | None = None) -> dict:
    """One micro-batch: of the given token ids, or of random ones."""
    if ids is None:
        ids = torch.randint(3, 300, (BATCH_SIZE, SEQUENCE_LENGTH), device=device)
    ids = ids.to(device)
    return {"input_ids": ids, "labels": ids}


def read_tokens(path: Path) -> torch.Tensor:
    """The text's bytes: the model's source has no tokenizer."""
    text = path.read_bytes()
    if not text.strip():
        raise SystemExit(f"{path} is empty; name a file with some text.")
    return torch.frombuffer(bytearray(text), dtype=torch.uint8).long()


def make_batches(device: torch.device, data: Path | None) -> Iterator[dict]:
    """Micro-batches without end: cut from the text one after the other, or random."""
    if data is None:
        while True:
            yield make_batch(device)
    tokens = read_tokens(data)
    for start in count(0, BATCH_SIZE * SEQUENCE_LENGTH):
        places = torch.arange(start, start + BATCH_SIZE * SEQUENCE_LENGTH) % len(tokens)
        yield make_batch(device, tokens[places].view((BATCH_SIZE, SEQUENCE_LENGTH)))


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
    parser = argparse.ArgumentParser(description="Train llama")
    parser.add_argument("--steps", type=int, default=10, help="optimizer steps")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--data", type=Path, help="a text file; left out, random tokens")
    parser.add_argument("--output", type=Path, help="a .safetensors file for what was trained")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    device = torch.device(arguments.device)
    model = build_model(device)
    optimizer = build_optimizer(model)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"{trainable} trainable parameters on {device}", flush=True)
    batches = make_batches(device, arguments.data)
    peak_memory(device)  # what building took does not count
    train(model, optimizer, batches, arguments.steps, device)
    if arguments.output is not None:
        settle(model)
        save_model(model, arguments.output)


if __name__ == "__main__":
    main()
