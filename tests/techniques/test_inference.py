"""Models in use: what is refused, what has no effect, and the cache in few bits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.messages.device import Device
from memplanner.run.generation import User
from memplanner.run.sampler import Position
from memplanner.run.trainer import measured_figures
from memplanner.search.largest import _border, largest
from memplanner.techniques.generating.quantized_cache import Packed
from memplanner.techniques.low_bit.packing import level_table
from memplanner.techniques.prepare import prepare
from memplanner.techniques.target import Target
from tests.truth.comparing import CPU
from tests.truth.small_models import SMALL

USE = {"inference.use": "generation", "inference.new_tokens": 12, "precision": "fp32"}


def _plan(**more: object) -> mp.Plan:
    sizes = {"training.batch_size": 2, "training.sequence_length": 24}
    return mp.Plan().with_values({**sizes, **USE, **more})


@pytest.fixture
def llama(tmp_path: Path) -> mp.Model:
    return mp.load(SMALL["llama"].write(tmp_path))


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_packed_rows_come_back_within_half_a_step(bits: int) -> None:
    rows = torch.randn(2, 3, 5, 32)
    packed = Packed(rows, bits, 16)
    packed.append(Packed(rows, bits, 16))
    table = level_table(torch.arange(2**bits).float(), bits) if bits < 8 else torch.empty(0)
    back = packed.expanded(table)
    assert back.shape == (2, 3, 10, 32)
    assert packed.codes.numel() == 2 * rows.numel() * bits // 8
    step = packed.scale.repeat_interleave(16, -1)
    error = (back - torch.cat([rows, rows], -2)).abs()
    assert bool((error <= step / 2 * 1.001 + 1e-6).all())


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"quantization.method": "nf4"},
        {"quantization.method": "linear", "quantization.bits": 8},
        {"quantization.method": "dynamic_int8"},
        {"inference.choosing": "sampled"},
        {"precision": "bf16_mixed"},
        {"pruning.structure": "structured", "pruning.mlp_ratio": 0.25, "pruning.head_ratio": 0.5},
    ],
)
def test_a_run_measures_what_is_predicted_category_by_category(
    llama: mp.Model, more: dict[str, object]
) -> None:
    plan = _plan(**more)
    cpu = torch.device("cpu")
    prepared = prepare(llama, plan, Target(), cpu)
    user = User(prepared, iter([llama.batch(2, 24, cpu)] * 2), cpu, Position())
    user.run()
    measured = measured_figures(user.run(profiled=True), device_bytes=None)
    predicted = mp.estimate(llama, plan, CPU).figures()
    assert predicted.allocated_bytes == measured.allocated_bytes
    assert predicted.by_category == measured.by_category
    assert predicted.by_phase == measured.by_phase
    assert measured.by_category.kv_cache > 0


def test_what_does_not_generate_is_told_to_run_forward(tmp_path: Path) -> None:
    model = mp.load(SMALL["vit"].write(tmp_path))
    with pytest.raises(PlanError, match=r"choose inference\.use=forward"):
        mp.estimate(model, _plan(), CPU)


def test_more_tokens_than_positions_are_refused(tmp_path: Path) -> None:
    model = mp.load(SMALL["gpt2 eager"].write(tmp_path))
    with pytest.raises(PlanError, match=r"inference\.new_tokens of at most 255"):
        mp.estimate(model, _plan(**{"inference.new_tokens": 256}), CPU)


def test_sections_that_only_train_have_no_effect_and_a_note_says_so(llama: mp.Model) -> None:
    plain = mp.estimate(llama, _plan(), CPU)
    other = mp.estimate(llama, _plan(**{"activation_checkpointing.policy": "full"}), CPU)
    assert other.peak.allocated_bytes == plain.peak.allocated_bytes
    assert any("activation_checkpointing of the plan has no effect" in n for n in other.notes)


@pytest.mark.parametrize("border", [0, 1, 2, 3, 17, 99, 100])
def test_halving_finds_the_border(border: int) -> None:
    assert _border(lambda number: number <= border, 100) == border


def test_the_largest_fits_and_one_more_does_not(llama: mp.Model) -> None:
    device = Device(name="small", kind="cpu", memory_bytes=9_000_000)
    found = largest(llama, _plan(), device, contexts=(32,), batches=(1,))
    (row,) = found.by_context
    sizes = {"training.sequence_length": 32, "training.batch_size": row.batch_size}
    assert mp.estimate(llama, _plan(**sizes), device).verdict == "fits"
    sizes["training.batch_size"] += 1
    assert mp.estimate(llama, _plan(**sizes), device).verdict == "does_not_fit"
    assert found.by_batch[0].sequence_length >= 32
