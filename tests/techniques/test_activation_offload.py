"""Activations in host memory: the same gradients, and what the device no longer holds.

No card is needed: on the CPU a copy counts as host memory where the test does not count it.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.messages.device import Device
from memplanner.tape.tape import ACTIVATIONS
from memplanner.techniques import kept_on_host
from memplanner.techniques.activation_offload import ActivationOffload
from memplanner.techniques.kept_on_host import OnHost, keep_on_host, to_host
from memplanner.techniques.precision import stored_type
from memplanner.techniques.prepare import check
from memplanner.techniques.target import Target
from tests.estimate.recordings import (
    CPU,
    H100,
    differences,
    planned,
    record_folded,
    record_whole,
    tiny,
)
from tests.truth.ground_truth import Births, named_standing
from tests.truth.real_step import planned as applied
from tests.truth.small_models import SMALL

DEVICE = Device(name="cpu", kind="cpu", memory_bytes=16 * 1024**3)
OFFLOADED = {"activation_offload__to": "host"}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("llama", {}),
    ("llama", {"precision": "bf16"}),
    ("llama", {"precision": "bf16_mixed"}),
    ("llama", {"activation_checkpointing": {"policy": "full"}}),
    ("llama", {"activation_offload": {"to": "host", "modules": ["model.layers.0", "mlp"]}}),
    ("llama", {"loss": {"method": "chunked"}}),
    ("llama", {"adapters": {"method": "lora", "rank": 4, "target_modules": ["q_proj"]}}),
    ("gpt2 eager", {}),
    ("bert", {}),
    ("vit", {}),
    ("t5", {}),
]


class _OffDevice(Births):
    """Births without those of host memory."""

    def __init__(self, before: Any) -> None:
        self.on_host = False
        super().__init__(before)

    def _see(self, tensor: torch.Tensor, operation: str) -> int:
        return -1 if self.on_host else super()._see(tensor, operation)


def offloaded_peak_bytes(module: Any, batch: dict[str, Any], plan: mp.Plan) -> int:
    """Of a real, steady step that is written plainly; host memory is not in it."""
    module = applied(module, plan)
    if plan.precision == "bf16":
        batch = {
            name: value.bfloat16() if value.is_floating_point() else value
            for name, value in batch.items()
        }
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, foreach=False)
    watch: _OffDevice | None = None
    named = plan.activation_offload.modules

    def pack(tensor: torch.Tensor) -> Any:
        owned = (*module.parameters(), *module.buffers())
        if tensor.dim() == 0 or any(_shares(tensor, part) for part in owned):
            return tensor
        if watch is not None:
            watch.on_host = True
        copy = torch.empty_like(tensor).copy_(tensor)
        if watch is not None:
            watch.on_host = False
        return [copy]

    def unpack(kept: Any) -> torch.Tensor:
        return kept[0].clone() if isinstance(kept, list) else kept

    for name, part in module.named_modules():
        if any(name == one or name.endswith(f".{one}") for one in named):
            part.forward = _with_hooks(part.forward, pack, unpack)

    def step() -> None:
        mixed = plan.precision == "bf16_mixed"
        with (
            nullcontext() if named else saved_tensors_hooks(pack, unpack),
            torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed),
        ):
            output = module(**batch)
        loss = output["loss"]
        if watch is not None:
            watch.in_backward = True
        loss.backward()
        if watch is not None:
            watch.in_backward = False
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    watch = _OffDevice(named_standing(module, optimizer, batch))
    with watch:
        step()
    return watch.highest_bytes


def _with_hooks(forward: Any, pack: Any, unpack: Any) -> Any:
    def hooked(*args: Any, **kwargs: Any) -> Any:
        with saved_tensors_hooks(pack, unpack):
            return forward(*args, **kwargs)

    return hooked


def _shares(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.untyped_storage()._cdata == other.untyped_storage()._cdata


@pytest.mark.parametrize(("name", "sections"), CASES)
def test_peak_is_what_a_real_step_takes_off_the_host(
    name: str, sections: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ActivationOffload, "conflicts", lambda *_: ())
    plan = mp.Plan.model_validate(
        {
            "precision": "fp32",
            "training": {"batch_size": 2, "sequence_length": 48},
            "attention": {"kernel": SMALL[name].attention.replace("sdpa", "auto")},
            "activation_offload": {"to": "host", "pin_memory": False},
            **sections,
        }
    )
    model = mp.load(SMALL[name].write(tmp_path))
    batch = model.batch(2, 48, torch.device("cpu"))
    measured = offloaded_peak_bytes(SMALL[name].build(), batch, plan)
    peak = mp.estimate(model, plan, device=DEVICE).peak
    assert peak.allocated_bytes - peak.by_category.workspaces == measured


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "vit"])
def test_gradients_are_bit_for_bit_the_same(name: str) -> None:
    gradients = []
    for offloaded in (False, True):
        torch.manual_seed(0)
        model = tiny(name)
        module = model.build(torch.device("cpu"))
        if offloaded:
            keep_on_host(module, pin_memory=False)
        torch.manual_seed(1)
        batch = model.batch(2, 8, torch.device("cpu"))
        model.loss(module(**batch)).backward()
        gradients.append([part.grad for part in module.parameters() if part.grad is not None])
    assert gradients[0]
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_a_tensor_comes_back_as_it_was() -> None:
    for tensor in (
        torch.randn(3, 4),
        torch.randn(3, 4, 5).transpose(0, 2),
        torch.randn(1, 4).expand(3, 4),
        torch.randn(8, 8)[::2, 1:],
        torch.randint(0, 2, (5,)).bool(),
    ):
        kept = to_host(tensor, pin_memory=False)
        assert isinstance(kept, OnHost)
        assert kept.tensor is not None
        assert not _shares(kept.tensor, tensor)
        assert torch.equal(kept.tensor, tensor)
        assert kept.strides == torch.empty_like(tensor).stride()


def test_parameters_and_buffers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Views of them too: a product keeps its weight transposed."""
    moved: list[torch.Tensor] = []

    def spy(tensor: torch.Tensor, *, pin_memory: bool) -> OnHost:
        moved.append(tensor)
        return to_host(tensor, pin_memory=pin_memory)

    monkeypatch.setattr(kept_on_host, "to_host", spy)
    module = tiny("llama").build(torch.device("cpu"))
    keep_on_host(module, pin_memory=False)
    module(**tiny("llama").batch(1, 8, torch.device("cpu")))
    owned = (*module.parameters(), *module.buffers())
    assert len(moved) > 20
    assert not any(_shares(tensor, part) for tensor in moved for part in owned)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_card_keeps_next_to_nothing(name: str) -> None:
    """And unfolds as it is recorded."""
    plan = planned(2, 16, **OFFLOADED)
    whole = record_whole(tiny(name), plan, H100)
    plain = record_whole(tiny(name), planned(2, 16), H100)

    def kept(tape: Any) -> int:
        return int(tape.size_bytes[tape.category == ACTIVATIONS].sum())

    assert kept(whole) < kept(plain) / 10
    assert whole.curve_bytes.max() < plain.curve_bytes.max()
    folded = record_folded(tiny(name), plan, H100)
    assert folded is not None
    assert differences(folded, whole) == []


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_where_memory_is_the_hosts_it_is_refused(kind: str) -> None:
    with pytest.raises(PlanError, match=f"saves nothing on {kind}"):
        check(planned(**OFFLOADED), Target(kind))
    check(planned(), CPU)


def test_inputs_of_recomputed_blocks_move_too() -> None:
    plan = planned(2, 16, **OFFLOADED, activation_checkpointing__policy="full")
    left = record_whole(tiny("llama"), plan, H100)
    plain = record_whole(
        tiny("llama"), planned(2, 16, activation_checkpointing__policy="full"), H100
    )
    inputs_bytes = 6 * 2 * 16 * 16 * stored_type(plan).itemsize
    assert _after_forward_bytes(plain) - _after_forward_bytes(left) >= inputs_bytes


def _after_forward_bytes(tape: Any) -> int:
    (forward,) = (span for span in tape.phases if span.phase == "forward")
    return int(tape.curve_bytes[forward.stop - 1])
