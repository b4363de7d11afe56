"""Train llama (LlamaForCausalLM) on H100 80GB, as planned with memplanner.

One step takes 1 sample of length 2048.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import torch
from chunked_loss import chunk_loss
from kept_on_host import keep_on_host
from safetensors.torch import save_model
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

MODEL = "/models/llama"
BATCH_SIZE = 1
SEQUENCE_LENGTH = 2048


def build_model(device: torch.device) -> nn.Module:
    """LlamaForCausalLM with random weights, in fp32."""
    config = LlamaConfig.from_pretrained(MODEL)
    config.use_cache = False
    config.pad_token_id = 0
    model = LlamaForCausalLM(config)
    model.set_attn_implementation("sdpa")
    model = model.to(device, torch.float32).train()
    chunk_loss(model, chunks=8, compute_type=torch.bfloat16)
    keep_on_host(model, pin_memory=device.type == "cuda")
    return model


def update_in_backward(model: nn.Module) -> None:
    """AdamW for each trainable parameter, stepped as soon as its gradient is there."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            optimizer = torch.optim.AdamW(
                [parameter],
                lr=1e-05,
                weight_decay=0.01,
            )
            parameter.register_post_accumulate_grad_hook(partial(update, optimizer))


def update(optimizer: torch.optim.Optimizer, parameter: torch.Tensor) -> None:
    """Updates a parameter and lets go of its gradient."""
    optimizer.step()
    optimizer.zero_grad()


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
    batches: Iterator[dict],
    steps: int,
    device: torch.device,
) -> None:
    """Runs optimizer steps and prints the loss and the peak memory of each."""
    for step in range(1, steps + 1):
        batch = next(batches)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            output = model(**batch)
            loss = output.loss
        loss.backward()
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
    update_in_backward(model)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"{trainable} trainable parameters on {device}", flush=True)
    batches = make_batches(device, arguments.data)
    peak_memory(device)  # what building took does not count
    train(model, batches, arguments.steps, device)
    if arguments.output is not None:
        save_model(model, arguments.output)


if __name__ == "__main__":
    main()
