"""Optimizer and parameters in host memory: the same updates, and what the device still holds.

No card is needed: on the CPU what the plan puts into host memory is told apart and not counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.messages.device import Device
from memplanner.messages.estimate import Peak
from memplanner.techniques.host_memory import lies_in_host_memory
from memplanner.techniques.host_updates import HostUpdates
from memplanner.techniques.offload import Offload
from memplanner.techniques.prepare import Prepared, check, prepare
from memplanner.techniques.streamed_blocks import settle
from memplanner.techniques.target import Target
from tests.estimate.recordings import (
    CPU,
    H100,
    META,
    differences,
    planned,
    recipe,
    record_folded,
    record_whole,
    tiny,
)
from tests.truth.ground_truth import Births, named_standing, tensor_peak_bytes
from tests.truth.small_models import SMALL

DEVICE = Device(name="cpu", kind="cpu", memory_bytes=16 * 1024**3)
REAL = torch.device("cpu")
OPTIMIZER = {"optimizer": "host", "pin_memory": False}
BOTH = {"optimizer": "host", "parameters": "host", "pin_memory": False}
FROZEN = {"parameters": "host", "pin_memory": False}
LORA = {"method": "lora", "rank": 4, "target_modules": ["q_proj", "v_proj"]}
FULL = {"policy": "full"}


@pytest.fixture
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the CPU pass for a device with memory of its own."""
    monkeypatch.setattr(Offload, "conflicts", lambda *_: ())


class _OffHost(Births):
    """Births without those of host memory; storages may change their size."""

    def _see(self, tensor: torch.Tensor, operation: str) -> int:
        storage = tensor.untyped_storage()
        if lies_in_host_memory(storage, new=storage._cdata not in self._alive):
            return -1
        return super()._see(tensor, operation)

    def resized(self, storage: torch.UntypedStorage) -> None:
        """Counts a storage by its new size."""
        known = self._alive.get(storage._cdata)
        if known is not None:
            self.live_bytes += storage.nbytes() - self.size_bytes[known[0]]
            self.size_bytes[known[0]] = storage.nbytes()
            self.highest_bytes = max(self.highest_bytes, self.live_bytes)


def _plan(name: str, sections: dict[str, Any]) -> mp.Plan:
    kernel = SMALL[name].attention.replace("sdpa", "auto")
    return mp.Plan.model_validate(
        {
            "precision": "fp32",
            "attention": {"kernel": kernel},
            **sections,
            "training": {"batch_size": 2, "sequence_length": 48, **sections.get("training", {})},
        }
    )


def _tensors(found: Peak) -> int:
    return found.allocated_bytes - found.by_category.workspaces


def step(prepared: Prepared, batch: dict[str, Any]) -> None:
    plan = prepared.plan
    count = plan.training.gradient_accumulation_steps
    for _ in range(count):
        mixed = plan.precision == "bf16_mixed"
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            output = prepared.module(**batch)
            loss = prepared.loss(output)
        (loss / count if count > 1 else loss).backward()
        del loss
    prepared.optimizer.step()
    prepared.optimizer.zero_grad(set_to_none=True)


def _batch(model: Any, plan: mp.Plan) -> dict[str, Any]:
    batch: dict[str, Any] = model.batch(2, 48, REAL)
    if plan.precision != "bf16":
        return batch
    return {
        name: part.bfloat16() if part.is_floating_point() else part for name, part in batch.items()
    }


def measured(model: Any, plan: mp.Plan) -> int:
    """The most that a real, steady step takes beside the host's memory."""
    prepared = prepare(model, plan, CPU, REAL)
    batch = _batch(model, plan)
    step(prepared, batch)
    standing = named_standing(prepared.module, prepared.optimizer, batch)
    if plan.offload.optimizer == "host":
        standing = [(part, kind) for part, kind in standing if kind != "optimizer_state"]
    watch = _OffHost(standing)
    resize = torch.UntypedStorage.resize_

    def resized(storage: torch.UntypedStorage, size: int) -> Any:
        result = resize(storage, size)
        watch.resized(storage)
        return result

    with patch.object(torch.UntypedStorage, "resize_", resized), watch:
        step(prepared, batch)
    return watch.highest_bytes


CASES: list[tuple[str, dict[str, Any]]] = [
    ("llama", {"offload": OPTIMIZER}),
    ("llama", {"offload": OPTIMIZER, "precision": "bf16"}),
    ("llama", {"offload": OPTIMIZER, "training": {"gradient_accumulation_steps": 3}}),
    ("gpt2 eager", {"offload": OPTIMIZER, "optimizer": {"name": "adafactor"}}),
    ("t5", {"offload": OPTIMIZER, "optimizer": {"name": "adagrad"}}),
    ("resnet", {"offload": OPTIMIZER}),
    ("llama", {"offload": BOTH}),
    ("llama", {"offload": BOTH, "precision": "bf16"}),
    ("llama", {"offload": BOTH, "precision": "bf16_mixed"}),
    ("llama", {"offload": BOTH, "activation_checkpointing": FULL}),
    ("llama", {"offload": BOTH, "training": {"gradient_accumulation_steps": 2}}),
    ("llama", {"offload": BOTH, "activation_checkpointing": FULL, "loss": {"method": "chunked"}}),
    ("llama", {"offload": FROZEN, "adapters": LORA}),
    ("llama", {"offload": FROZEN, "adapters": LORA, "activation_checkpointing": FULL}),
    ("llama", {"offload": FROZEN, "adapters": LORA, "quantization": {"method": "nf4"}}),
    ("gpt2 eager", {"offload": BOTH}),
    ("gpt2 dropout", {"offload": BOTH, "activation_checkpointing": FULL}),
    ("bert", {"offload": BOTH}),
    ("vit", {"offload": BOTH}),
    ("t5", {"offload": BOTH}),
    ("gemma2", {"offload": BOTH}),
]


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize(("name", "sections"), CASES)
def test_peak_is_what_a_real_step_takes_off_the_host(
    name: str, sections: dict[str, Any], tmp_path: Path
) -> None:
    plan = _plan(name, sections)
    model = mp.load(SMALL[name].write(tmp_path))
    prediction = mp.estimate(model, plan, device=DEVICE)
    assert _tensors(prediction.peak) == measured(model, plan)
    plain = mp.estimate(model, plan.with_values(_ON_DEVICE), device=DEVICE)
    assert _tensors(prediction.peak) < _tensors(plain.peak)
    assert prediction.model == plain.model, "what is opened is the same"


_ON_DEVICE: dict[str, object] = {"offload.optimizer": "none", "offload.parameters": "none"}


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_written_plainly_takes_as_much(precision: str, tmp_path: Path) -> None:
    """transformers' own model, whose gradients a hook takes away: the rest is the host's."""
    plan = _plan("llama", {"offload": OPTIMIZER, "precision": precision})
    model = mp.load(SMALL["llama"].write(tmp_path))
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    module = SMALL["llama"].build().train().to(kind)
    batch = _batch(model, plan)

    def take_away(part: torch.Tensor) -> None:
        part.grad = None

    for part in module.parameters():
        part.register_post_accumulate_grad_hook(take_away)

    def forward_backward() -> None:
        output = module(**batch)
        output["loss"].backward()

    standing = [*module.parameters(), *module.buffers(), *batch.values()]
    highest = tensor_peak_bytes(forward_backward, standing)
    assert _tensors(mp.estimate(model, plan, device=DEVICE).peak) == highest


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "vit", "t5", "gemma2"])
@pytest.mark.parametrize("sections", [OPTIMIZER, BOTH], ids=["optimizer", "both"])
@pytest.mark.parametrize("policy", ["none", "full"])
def test_parameters_learn_bit_for_bit_the_same(
    name: str, sections: dict[str, Any], policy: str
) -> None:
    """But for sums over a decoder's blocks, which take the encoder's output in another order."""
    learned = []
    for section in ({}, sections):
        values = {f"offload__{key}": value for key, value in section.items()}
        plan = planned(
            2, 48, training__gradient_accumulation_steps=2,
            activation_checkpointing__policy=policy, **values,
        )  # fmt: skip
        torch.manual_seed(0)
        prepared = prepare(tiny(name), plan, CPU, REAL)
        for seed in range(3):
            torch.manual_seed(seed)
            step(prepared, tiny(name).batch(2, 12, REAL))
        settle(prepared.module)
        learned.append([part.detach() for part in prepared.module.parameters()])
    close = {"rtol": 1e-5, "atol": 1e-6} if name == "t5" and sections is BOTH else {}
    for one, other in zip(*learned, strict=True):
        torch.testing.assert_close(one, other, **(close or {"rtol": 0, "atol": 0}))


@pytest.mark.usefixtures("anywhere")
def test_frozen_parameters_come_and_adapters_stay() -> None:
    plan = planned(
        2, 12, adapters__method="lora", offload__parameters="host", offload__pin_memory=False
    )
    prepared = prepare(tiny("llama"), plan, CPU, REAL)
    sizes = {
        name: part.untyped_storage().nbytes() for name, part in prepared.module.named_parameters()
    }
    blocks = {name: size for name, size in sizes.items() if ".layers." in name}
    assert all((size > 0) is (".lora_" in name) for name, size in blocks.items())
    assert all(size for name, size in sizes.items() if name not in blocks)
    step(prepared, tiny("llama").batch(2, 12, REAL))
    after = [part.untyped_storage().nbytes() for part in prepared.module.parameters()]
    assert after == list(sizes.values()), "all that came is gone"


def test_host_memory_is_what_lies_there() -> None:
    """Copies, gradients and two states of each parameter, and what the largest update takes."""
    model = tiny("llama")
    whole = sum(part.nbytes for part in model.build(META).parameters())
    plan = planned(2, 12, offload__optimizer="host")
    for values in ({}, {"offload.parameters": "host"}):
        found = mp.estimate(model, plan.with_values(values), device="H100")
        assert found.host_bytes is not None
        assert 4 * whole < found.host_bytes < 4.3 * whole
        assert found.message().host_bytes == found.host_bytes
        assert any("of the host's memory" in note for note in found.notes)
    frozen = planned(2, 12, offload__parameters="host", adapters__method="lora")
    blocks = sum(
        part.nbytes for part in model.build(META).get_submodule("model.layers").parameters()
    )
    assert mp.estimate(model, frozen, device="H100").host_bytes == blocks


def test_host_memory_of_activations_is_what_the_device_is_spared() -> None:
    model = tiny("llama")
    found = mp.estimate(model, planned(2, 12, activation_offload__to="host"), device="H100")
    kept = mp.estimate(model, planned(2, 12), device="H100").peak.by_category.activations
    assert found.host_bytes is not None
    assert 0.8 * kept < found.host_bytes < 2 * kept
    assert mp.estimate(model, planned(2, 12), device="H100").host_bytes is None


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_the_optimizer_on_the_host_unfolds_as_it_is_recorded(name: str) -> None:
    plan = planned(2, 16, offload__optimizer="host")
    whole = record_whole(tiny(name), plan, H100)
    folded = record_folded(tiny(name), plan, H100)
    assert folded is not None
    assert differences(folded, whole) == []
    assert folded.host_peak_bytes == whole.host_peak_bytes


@pytest.mark.parametrize("kind", ["cpu", "mps"])
@pytest.mark.parametrize("key", ["optimizer", "parameters"])
def test_where_memory_is_the_hosts_it_is_refused(kind: str, key: str) -> None:
    with pytest.raises(PlanError, match=rf"offload\.{key}=host saves nothing on {kind}"):
        check(planned(**{f"offload__{key}": "host"}), Target(kind))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"offload.optimizer": "none", "offload.parameters": "host"}, "optimizer=host too"),
        ({"optimizer.update": "in_backward"}, "choose after_backward"),
        ({"precision": "fp16_mixed"}, "choose precision=bf16_mixed"),
        ({"optimizer.implementation": "bitsandbytes_8bit"}, "choose implementation fused"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(values: dict[str, object], says: str) -> None:
    plan = planned(offload__optimizer="host").with_values(values)
    with pytest.raises(PlanError, match=says):
        check(plan, H100)


def test_a_model_without_repeated_blocks_is_refused(tmp_path: Path) -> None:
    model = recipe(
        tmp_path,
        "import torch\n"
        "def model():\n"
        "    return torch.nn.Linear(2, 2)\n"
        "def batch(batch_size, sequence_length):\n"
        "    return {'input': torch.ones(batch_size, 2)}\n",
    )
    plan = planned(offload__optimizer="host", offload__parameters="host")
    with pytest.raises(PlanError, match="needs repeated blocks, and this model has none"):
        mp.estimate(model, plan, "H100")


def test_a_parameter_without_a_gradient_is_not_updated() -> None:
    used, unused = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = HostUpdates(
        [used, unused], lambda part: torch.optim.SGD(part, lr=0.5), pin_memory=False
    )
    used.sum().backward()
    assert used.grad is None
    optimizer.step()
    assert used.tolist() == [0.5] * 3
    assert unused.tolist() == [1.0] * 3
