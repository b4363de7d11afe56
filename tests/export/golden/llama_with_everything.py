"""Train llama (LlamaForCausalLM) on H100 80GB, as planned with memplanner.

One step takes 8 micro-batches of 4 samples of length 2048.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path

import torch
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import save_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)
from transformers import LlamaConfig, LlamaForCausalLM

MODEL = "/models/llama"
BATCH_SIZE = 4
SEQUENCE_LENGTH = 2048
ACCUMULATION_STEPS = 8
BLOCKS = ("model.layers",)

# What a recomputed block keeps: what costs the most time to compute again.
KEPT = {
    torch.ops.aten.mm,
    torch.ops.aten._scaled_mm,
    torch.ops.aten.bmm,
    torch.ops.aten.addmm,
    torch.ops.aten.baddbmm,
    torch.ops.aten.convolution,
    torch.ops.aten._scaled_dot_product_flash_attention,
    torch.ops.aten._scaled_dot_product_efficient_attention,
    torch.ops.aten._scaled_dot_product_cudnn_attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu,
    torch.ops.aten._scaled_dot_product_fused_attention_overrideable,
}


def build_model(device: torch.device) -> nn.Module:
    """LlamaForCausalLM with random weights, in fp32."""
    config = LlamaConfig.from_pretrained(MODEL)
    config.use_cache = False
    config.pad_token_id = 0
    model = LlamaForCausalLM(config)
    model.set_attn_implementation("sdpa")
    model = model.to(device, torch.float32).train()
    checkpoint_blocks(model)
    model = add_adapters(model)
    return model


def checkpoint_blocks(model: nn.Module) -> None:
    """Each block keeps its products and runs the rest of its forward again in backward."""
    contexts = partial(create_selective_checkpoint_contexts, keep_products)
    for path in BLOCKS:
        for block in model.get_submodule(path).children():
            block.forward = partial(
                checkpoint, block.forward, use_reentrant=False, context_fn=contexts
            )


def keep_products(context, operation, *args, **kwargs) -> CheckpointPolicy:
    """Whether the result of an operation is kept for backward."""
    if getattr(operation, "overloadpacket", operation) in KEPT:
        return CheckpointPolicy.MUST_SAVE
    return CheckpointPolicy.PREFER_RECOMPUTE


def add_adapters(model: nn.Module) -> nn.Module:
    """Freezes the model and puts low-rank matrices beside the chosen layers."""
    model.requires_grad_(False)
    config = LoraConfig(
        r=8,
        lora_alpha=16,
        lora_dropout=0.0,
        target_modules=[
            "q_proj",
            "k_proj",
            "v_proj",
            "o_proj",
            "gate_proj",
            "up_proj",
            "down_proj",
        ],
        bias="none",
    )
    model = inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            parameter.requires_grad_(True)
    return model


def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW over the trainable parameters."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(
        parameters,
        lr=1e-05,
        weight_decay=0.01,
        fused=True,
    )


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
    scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda")
    for step in range(1, steps + 1):
        mean_loss = 0.0
        for micro_batch, batch in enumerate(islice(batches, ACCUMULATION_STEPS)):
            with torch.autocast(device.type, dtype=torch.float16):
                output = model(**batch)
                loss = output.loss
            del output
            if micro_batch == 0:
                optimizer.zero_grad()
            scaler.scale(loss / ACCUMULATION_STEPS).backward()
            mean_loss += loss.item() / ACCUMULATION_STEPS
        scaler.step(optimizer)
        scaler.update()
        print(f"step {step}: loss {mean_loss:.4f}, {peak_memory(device)}", flush=True)
        del batch, loss


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
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        train(model, optimizer, batches, arguments.steps, device)
    if arguments.output is not None:
        trained = {n: p.contiguous() for n, p in model.named_parameters() if p.requires_grad}
        save_file(trained, arguments.output)


if __name__ == "__main__":
    main()
