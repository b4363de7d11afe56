"""Autocast on weightless tensors casts as torch's own autocast does on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn

from memplanner.model.loaded import Model
from memplanner.tape.autocast import Autocast
from memplanner.tape.record import MetaWatch
from memplanner.tape.rules import DeviceRules
from memplanner.techniques.target import Target
from tests.estimate.recordings import (
    CPU,
    H100,
    planned,
    real_peak_bytes,
    recipe,
    record_whole,
    tiny,
)

HALF, FULL = torch.bfloat16, torch.float32
MIXED = planned(2, 8, precision="bf16_mixed")
Outputs = list[tuple[str, tuple[torch.dtype, ...]]]


def outputs(module: nn.Module, run: Callable[[], Any]) -> Outputs:
    """The types of all tensors that each module returns, in order."""
    seen: Outputs = []

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: Any, result: Any) -> None:
            parts = result if isinstance(result, (tuple, list)) else (result,)
            seen.append(
                (name, tuple(part.dtype for part in parts if isinstance(part, torch.Tensor)))
            )

        return hook

    for name, child in module.named_modules():
        child.register_forward_hook(note(name))
    run()
    return seen


def real_and_weightless(model: Model) -> tuple[Outputs, Outputs]:
    cpu, meta = torch.device("cpu"), torch.device("meta")
    module = model.build(cpu).train()
    with torch.autocast("cpu", dtype=HALF):
        real = outputs(module, lambda: module(**model.batch(2, 8, cpu)))
    weightless_module = model.build(meta).train()
    batch = model.batch(2, 8, meta)
    with MetaWatch(weightless_module, CPU), DeviceRules(CPU, MIXED):
        weightless = outputs(weightless_module, lambda: weightless_module(**batch))
    return real, weightless


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "vit", "t5", "gemma2"])
def test_every_modules_output_has_the_same_type(name: str) -> None:
    real, weightless = real_and_weightless(tiny(name))
    assert weightless == real
    assert any(HALF in kinds for _, kinds in real)
    assert any(FULL in kinds for _, kinds in real)


ASSORTED = """
import torch
from torch import nn
from torch.nn import functional as F


class Assorted(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.batch_norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.group_norm, self.pool = nn.GroupNorm(2, 8), nn.MaxPool2d(2)
        self.encoder = nn.TransformerEncoderLayer(8, 1, 16, batch_first=True, dropout=0.0)
        self.embedding, self.prelu = nn.Embedding(4, 8), nn.PReLU()
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, images, labels):
        x = self.pool(self.group_norm(self.batch_norm(self.conv(images)).relu()))
        x = self.encoder(x.flatten(2).mT)
        x = self.prelu(x + torch.einsum("bsd,bd->bs", x, self.embedding(labels))[..., None])
        x = torch.cat([x, F.silu(x).float()], 1)
        x = self.norm(x + x @ torch.eye(8, device=x.device))
        logits = self.head(x.mean(1))
        return {"loss": F.cross_entropy(logits, labels) + logits.float().pow(2).mean()}


def model():
    return Assorted()


def batch(batch_size, sequence_length):
    return {
        "images": torch.randn(batch_size, 3, 8, 8),
        "labels": torch.zeros(batch_size, dtype=torch.int64),
    }
"""


def test_a_users_own_model_is_cast_alike_and_takes_what_it_really_takes(tmp_path: Path) -> None:
    model = recipe(tmp_path, ASSORTED)
    real, weightless = real_and_weightless(model)
    assert weightless == real
    plan = planned(2, 8, precision="bf16_mixed")
    tape = record_whole(model, plan).without_scratch()
    assert tape.curve_bytes.max() == real_peak_bytes(model, plan)


def test_attention_in_torchs_own_layers_takes_the_devices_kernel(tmp_path: Path) -> None:
    model = recipe(tmp_path, ASSORTED)
    for precision, kernel in (("fp32", "efficient"), ("bf16_mixed", "cudnn")):
        tape = record_whole(model, planned(2, 8, precision=precision), H100)
        assert any(f"{kernel}_attention" in info.operation for info in tape.storages)


FUNCTIONS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "matmul": torch.matmul,
    "@": lambda x, y: x @ y,
    "reversed @": lambda x, y: torch.Tensor.__rmatmul__(x, y),
    "mm": torch.mm,
    "method mm": lambda x, y: x.mm(y),
    "bmm": lambda x, y: torch.bmm(x[None], y[None]),
    "addmm": lambda x, y: torch.addmm(x, x, y),
    "baddbmm": lambda x, y: torch.baddbmm(x[None], x[None], y[None]),
    "linear": F.linear,
    "einsum": lambda x, y: torch.einsum("ij,jk->ik", x, y),
    "tensordot": lambda x, y: torch.tensordot(x, y, dims=([1], [0])),
    "inner": torch.inner,
    "linalg.matmul": torch.linalg.matmul,
    "linalg.multi_dot": lambda x, y: torch.linalg.multi_dot([x, y, x]),
    "index_copy": lambda x, y: x.index_copy(0, torch.arange(4, device=x.device), y),
    "prelu": lambda x, y: F.prelu(x, y[0]),
    "where": lambda x, y: torch.where(x > 0, x, y),
    "conv1d": lambda x, y: F.conv1d(x[None], y[:, :, None]),
    "softmax": lambda x, y: x.softmax(-1),
    "log_softmax": lambda x, y: F.log_softmax(x, -1),
    "layer_norm": lambda x, y: F.layer_norm(x, (4,)),
    "gelu": lambda x, y: F.gelu(x),
    "exp": lambda x, y: x.exp(),
    "pow": lambda x, y: x**2,
    "rsqrt": lambda x, y: x.rsqrt(),
    "sum": lambda x, y: x.sum(),
    "prod": lambda x, y: x.prod(),
    "cumsum": lambda x, y: x.cumsum(0),
    "cdist": torch.cdist,
    "cat": lambda x, y: torch.cat([x, y]),
    "stack": lambda x, y: torch.stack([x, y]),
    "add": torch.add,
    "mul": lambda x, y: x * y,
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "smooth l1": F.smooth_l1_loss,
    "huber": F.huber_loss,
    "kl": lambda x, y: F.kl_div(x, y, reduction="batchmean"),
    "cross entropy": lambda x, y: F.cross_entropy(x, y.float().softmax(-1)),
    "bce with logits": F.binary_cross_entropy_with_logits,
    "cosine embedding": lambda x, y: F.cosine_embedding_loss(x, y, torch.ones_like(x[:, 0])),
    "normalize": lambda x, y: F.normalize(x),
    "norm": lambda x, y: x.norm(),
    "attention": lambda x, y: F.scaled_dot_product_attention(
        x[None, None], y[None, None], x[None, None]
    ),
    "interpolate": lambda x, y: F.interpolate(x[None, None], scale_factor=2),
    "avg_pool": lambda x, y: F.avg_pool1d(x[None], 2),
    "dropout": lambda x, y: F.dropout(x, 0.5),
    "index": lambda x, y: x[:, 0],
}


@pytest.mark.parametrize("kinds", [(FULL, FULL), (HALF, HALF), (HALF, FULL)], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_functions_result_has_the_same_type(
    name: str, kinds: tuple[torch.dtype, torch.dtype]
) -> None:
    function = FUNCTIONS[name]
    first, second = (torch.rand(4, 4, dtype=kind) for kind in kinds)
    try:
        with torch.autocast("cpu", dtype=HALF):
            expected = function(first, second).dtype
    except RuntimeError:
        pytest.skip("not on this CPU")
    with DeviceRules(CPU, MIXED):
        assert function(first.to("meta"), second.to("meta")).dtype is expected


def test_a_weight_is_cast_once_in_a_forward() -> None:
    autocast = Autocast(CPU, HALF)
    weight = nn.Parameter(torch.zeros(4, 4, device="meta"))
    x = torch.zeros(2, 4, device="meta")
    (_, first), _ = autocast.arguments("linear", (x, weight), {})
    (_, again), _ = autocast.arguments("linear", (x, weight), {})
    assert first is again
    assert first.dtype is HALF
    autocast.forget()
    (_, anew), _ = autocast.arguments("linear", (x, weight), {})
    assert anew is not first
    view = weight.view(16)
    (_, one), _ = autocast.arguments("linear", (x, view), {})
    (_, other), _ = autocast.arguments("linear", (x, view), {})
    assert one is not other


def test_integers_and_doubles_are_left_alone() -> None:
    autocast = Autocast(CPU, HALF)
    for kind in (torch.int64, torch.bool, torch.float64):
        (kept,), _ = autocast.arguments("linear", (torch.zeros(2, dtype=kind, device="meta"),), {})
        assert kept.dtype is kind


@pytest.mark.parametrize(
    ("target", "name", "expected"),
    [
        (CPU, "softmax", HALF), (H100, "softmax", FULL), (CPU, "layer_norm", HALF),
        (H100, "layer_norm", FULL), (H100, "einsum", HALF), (H100, "linear", HALF),
        (H100, "gelu", HALF), (H100, "cumsum", FULL), (CPU, "mse_loss", FULL),
    ],
)  # fmt: skip
def test_cuda_has_lists_of_its_own(target: Target, name: str, expected: torch.dtype) -> None:
    autocast = Autocast(target, HALF)
    (cast,), _ = autocast.arguments(name, (torch.zeros(2, dtype=HALF, device="meta"),), {})
    assert cast.dtype is expected


@pytest.mark.parametrize("values", [{}, {"activation_checkpointing__policy": "full"}], ids=str)
def test_a_mixed_step_takes_what_a_real_one_takes(values: dict[str, Any]) -> None:
    plan = planned(2, 8, precision="bf16_mixed", **values)
    model = tiny("llama", num_hidden_layers=2)
    tape = record_whole(model, plan).without_scratch()
    assert tape.curve_bytes.max() == real_peak_bytes(model, plan)
