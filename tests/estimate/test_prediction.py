"""What a prediction says: its parts agree with each other, and with what really is kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from memplanner.estimate import Prediction, estimate
from memplanner.estimate.curve import timeline
from memplanner.messages.device import Device
from memplanner.messages.estimate import CATEGORIES, Estimate, Timeline
from memplanner.model import load
from memplanner.model.loaded import Model
from tests.estimate.recordings import planned, recipe, tiny

GIB = 1024**3
CPU = Device(name="cpu", kind="cpu", memory_bytes=16 * GIB)
CARD = Device(name="a card", kind="cuda", memory_bytes=80 * GIB, architecture="9.0")

PLANS: dict[str, dict[str, Any]] = {
    "plain": {},
    "foreach": {"optimizer__implementation": "foreach"},
    "checkpointed": {"activation_checkpointing__policy": "full", "precision": "bf16_mixed"},
    "lora": {"adapters__method": "lora", "training__gradient_accumulation_steps": 2},
    "carried": {
        "training__zero_grad": "before_backward", "training__outputs": "until_next_output"
    },
}  # fmt: skip


@pytest.fixture(params=[(device, name) for name in PLANS for device in (CPU, CARD)],
                ids=lambda pair: f"{pair[1]} on {pair[0].kind}")  # fmt: skip
def prediction(request: pytest.FixtureRequest) -> Prediction:
    device, name = request.param
    return estimate(tiny("llama"), planned(2, 24, **PLANS[name]), device)


def sums(rows: Any) -> dict[str, int]:
    return {name: sum(getattr(row, f"{name}_bytes") for row in rows) for name in CATEGORIES}


def every_event(prediction: Prediction) -> Timeline:
    """The curve with no event left out."""
    return timeline(prediction._tape, prediction.peak_event, points=10**6)


def test_categories_add_up_to_the_peak(prediction: Prediction) -> None:
    peak = prediction.peak
    assert peak.by_category.total_bytes == peak.allocated_bytes
    assert min(peak.by_category.model_dump().values()) >= 0


def test_layers_add_up_to_the_categories_at_the_peak(prediction: Prediction) -> None:
    assert sums(prediction.layers) == prediction.peak.by_category.model_dump()


def test_layers_add_up_at_other_moments_too(prediction: Prediction) -> None:
    whole = every_event(prediction)
    first_forward = next(span for span in whole.phases if span.phase == "forward")
    step = next(span for span in whole.phases if span.phase == "optimizer_step")
    curve = dict(zip(whole.event, whole.allocated_bytes, strict=True))
    highest = max(curve[event] for event in whole.event if step.start <= event < step.stop)
    at_step = sums(prediction.layers_at("optimizer_step"))
    at_forward = sums(prediction.layers_at("end_of_forward"))

    assert sum(at_step.values()) == highest
    assert sum(at_forward.values()) == curve[first_forward.stop - 1]
    assert at_forward["temporaries"] == 0
    for name, values in whole.by_category.items():
        assert at_forward[name] == values[first_forward.stop - 1]


def test_no_moment_is_above_a_modules_own_maximum(prediction: Prediction) -> None:
    own = {row.name: row for row in prediction.layers_at("own_maximum")}
    for moment in ("peak", "end_of_forward", "optimizer_step"):
        for row in prediction.layers_at(moment):
            for name in CATEGORIES:
                figure = getattr(row, f"{name}_bytes")
                assert figure <= getattr(own[row.name], f"{name}_bytes")


def test_the_timeline_is_the_same_step(prediction: Prediction) -> None:
    drawn, peak = prediction.timeline, prediction.peak
    tensors = peak.allocated_bytes - peak.by_category.workspaces
    assert max(drawn.allocated_bytes) == tensors
    place = drawn.event.index(drawn.peak_event)
    assert drawn.allocated_bytes[place] == tensors
    for index, total in enumerate(drawn.allocated_bytes):
        assert sum(values[index] for values in drawn.by_category.values()) == total
    assert drawn.phases[0].phase == "load"
    assert drawn.phases[-1].stop == drawn.events
    assert prediction.peak.phase == next(
        span.phase for span in drawn.phases if drawn.peak_event < span.stop
    )


def test_a_step_leaves_what_it_found(prediction: Prediction) -> None:
    whole = every_event(prediction)
    load_end = whole.phases[0].stop - 1
    assert whole.allocated_bytes[-1] == whole.allocated_bytes[load_end]


def test_figures_hold_the_same_numbers(prediction: Prediction) -> None:
    figures, peak = prediction.figures(), prediction.peak
    assert figures.allocated_bytes == peak.allocated_bytes
    assert figures.by_category == peak.by_category
    tensors = peak.allocated_bytes - peak.by_category.workspaces
    assert max(figures.curve_bytes) == tensors
    assert max(figures.by_phase.values()) == tensors
    assert len(figures.curve_bytes) == len(figures.curve_phases)
    assert "load" not in figures.curve_phases


def test_the_message_survives_json(prediction: Prediction) -> None:
    message = prediction.message()
    again = Estimate.model_validate_json(message.model_dump_json(by_alias=True))
    assert again == message


def test_parameters_are_the_models(prediction: Prediction) -> None:
    trained = prediction.model.trainable_parameters
    module = tiny("llama").build(torch.device("meta"))
    own = sum(parameter.numel() for parameter in module.parameters())
    assert sum(row.parameters for row in prediction.layers) == prediction.model.parameters
    if prediction.plan.adapters.method == "none":
        assert prediction.model.parameters == trained == own
    else:
        assert prediction.model.parameters - trained == own


def test_a_long_step_is_drawn_with_its_highest_points() -> None:
    deep = estimate(tiny("llama", num_hidden_layers=60), planned(2, 24), CARD)
    drawn = deep.timeline
    assert drawn.events > 2000 >= len(drawn.event)
    assert max(drawn.allocated_bytes) == deep.peak.allocated_bytes
    assert drawn.peak_event in drawn.event
    assert list(drawn.event) == sorted(set(drawn.event))


# What is kept for backward

KEEPING = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(8, 16), nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.last = nn.Linear(16, 4)

    def forward(self, x):
        {forward}
        return x.square().mean()


def model():
    return Net()


def batch(batch_size, sequence_length):
    return {{"x": torch.randn(batch_size, sequence_length, 8)}}
"""
FORWARDS = {
    "linear": "x = self.last(self.first(x))",
    "relu": "x = self.last(self.first(x).relu())",
    "norm": "x = self.last(self.norm(self.first(x)))",
    "gelu and dropout": (
        "x = nn.functional.dropout(nn.functional.gelu(self.first(x)), 0.5)\n"
        "        x = self.last(x)"
    ),
    "attention": (
        "x = self.first(x)\n"
        "        x = self.last(x + self.attention(x, x, x, need_weights=False)[0])"
    ),
    "softmax": "x = self.last(self.first(x).softmax(-1))",
    "views and in place": "x = self.last(self.first(x).mul_(2.0).transpose(0, 1).relu_())",
}


@pytest.mark.parametrize("title", FORWARDS)
def test_what_is_kept_is_what_autograd_saves(title: str, tmp_path: Path) -> None:
    """Against autograd's own hooks on a real forward: new storages only, and the loss."""
    model = recipe(tmp_path, KEEPING.format(forward=FORWARDS[title]))
    prediction = estimate(model, planned(3, 5), CPU)
    kept = Counter(tensor.size_bytes for tensor in prediction.describe("").kept)

    module = model.build(torch.device("cpu")).train()
    batch = model.batch(3, 5, torch.device("cpu"))
    before = {
        tensor.untyped_storage()._cdata
        for tensor in (*module.parameters(), *module.buffers(), *batch.values())
    }
    saved: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in before:
            saved[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = module(**batch)

    expected = Counter(storage.nbytes() for storage in saved.values())
    expected[loss.untyped_storage().nbytes()] += 1
    assert kept == expected
    assert sum(row.kept_bytes for row in prediction.layers) == sum(
        size * count for size, count in expected.items()
    )


def test_kept_bytes_stand_with_the_module_that_made_them(tmp_path: Path) -> None:
    model = recipe(tmp_path, KEEPING.format(forward=FORWARDS["norm"]))
    rows = {row.name: row for row in estimate(model, planned(3, 5), CPU).layers}
    samples = 3 * 5
    assert rows["first"].kept_bytes == samples * 16 * 4  # the norm's input
    assert rows["norm"].kept_bytes == samples * (16 + 2) * 4  # its output, mean and deviation
    assert rows["last"].kept_bytes == samples * 4 * 4
    assert rows["attention"].kept_bytes == 0


# Rows and details


def test_rows_stand_in_the_models_order_with_alike_blocks_counted() -> None:
    prediction = estimate(tiny("llama"), planned(2, 24), CARD)
    module = tiny("llama").build(torch.device("meta"))
    assert [row.name for row in prediction.layers] == [name for name, _ in module.named_modules()]
    alike = {row.name: row.alike for row in prediction.layers_at("end_of_forward")}
    assert [alike[f"model.layers.{index}"] for index in range(6)] == [6, 5, 4, 3, 2, 1]
    assert alike["model.layers.2.mlp.up_proj"] == 4
    assert alike["model.norm"] == 1


def test_blocks_that_alternate_are_not_alike() -> None:
    prediction = estimate(
        tiny("llama"),
        planned(2, 24, adapters__method="lora", adapters__target_modules=["layers.2.mlp.up_proj"]),
        CARD,
    )
    alike = {row.name: row.alike for row in prediction.layers_at("end_of_forward")}
    assert alike["model.layers.2"] == 1


@pytest.mark.parametrize(
    ("plan", "dtypes", "trained"),
    [
        ({}, ("float32",), True),
        ({"precision": "bf16"}, ("bfloat16",), True),
        ({"precision": "bf16", "adapters__method": "lora"}, ("bfloat16",), False),
        (
            {"quantization__method": "nf4", "adapters__method": "lora", "precision": "bf16"},
            ("float32", "uint8"),
            False,
        ),
    ],
)
def test_rows_say_the_types_of_their_own_parameters_and_what_is_trained(
    plan: dict[str, Any], dtypes: tuple[str, ...], trained: bool
) -> None:
    rows = {row.name: row for row in estimate(tiny("llama"), planned(2, 24, **plan), CARD).layers}
    for block in range(6):  # recorded and on paper alike
        name = f"model.layers.{block}.self_attn.q_proj"
        own = rows.get(f"{name}.base_layer", rows[name])
        assert own.parameters > 0
        assert own.trainable_parameters == (own.parameters if trained else 0)
        assert own.dtypes == dtypes
        adapter = rows.get(f"{name}.lora_A.default")
        assert (adapter is None) == trained
        if adapter is not None:
            assert adapter.trainable_parameters == adapter.parameters > 0
    assert rows["model.layers.0"].dtypes == ()


def test_a_module_is_described_with_all_below_it() -> None:
    prediction = estimate(tiny("llama"), planned(2, 24), CARD)
    module = tiny("llama").build(torch.device("meta"))
    for name in ("", "model.layers.0", "model.layers.4.mlp", "model.embed_tokens"):
        detail = prediction.describe(name)
        own = module.get_submodule(name)
        assert detail.type == type(own).__name__
        assert {part.name: (part.shape, part.trainable) for part in detail.parameters} == {
            path: (tuple(parameter.shape), True) for path, parameter in own.named_parameters()
        }
        assert detail.layer.parameters == sum(part.numel() for part in own.parameters())
        below = [
            row for row in prediction.layers
            if not name or row.name == name or row.name.startswith(name + ".")
        ]  # fmt: skip
        for category in CATEGORIES:
            field = f"{category}_bytes"
            assert getattr(detail.layer, field) == sum(getattr(row, field) for row in below)
    assert prediction.describe("model.layers.4.mlp").input_shapes == ((2, 24, 16),)


def test_a_block_on_paper_is_described_like_a_recorded_one() -> None:
    prediction = estimate(tiny("llama", num_hidden_layers=9), planned(2, 24), CARD)
    details = [prediction.describe(f"model.layers.{index}.self_attn") for index in range(9)]
    for detail in details[1:]:
        assert detail.parameters == details[0].parameters
        assert detail.kept == details[0].kept
        assert detail.output_shapes == details[0].output_shapes


def test_a_name_that_is_no_module_is_refused() -> None:
    with pytest.raises(KeyError, match=r"no\.such"):
        estimate(tiny("llama"), planned(2, 24), CARD).describe("no.such")


# Notes, devices, sources


def test_a_sequence_beyond_the_positions_is_said() -> None:
    gpt2 = tiny("gpt2")
    assert any(
        note == "The model has positions for 64 tokens; the estimate is for 64, not 100."
        for note in estimate(gpt2, planned(1, 100), CARD).notes
    )
    assert not any("positions" in note for note in estimate(gpt2, planned(1, 64), CARD).notes)


def test_notes_say_what_is_not_covered() -> None:
    assert any("calls too large" in note for note in estimate(tiny("vit"), planned(), CPU).notes)
    apple = CARD.model_copy(update={"kind": "mps", "architecture": ""})
    assert any("Metal" in note for note in estimate(tiny("vit"), planned(), apple).notes)


def test_a_model_that_branches_on_its_data_is_said(tmp_path: Path) -> None:
    source = KEEPING.format(forward="x = self.first(x)\n        x = x if x.sum() > 0 else x * 2")
    notes = estimate(recipe(tmp_path, source), planned(2, 4), CARD).notes
    assert "The model branches on its data; the usual branch was taken." in notes


@pytest.mark.parametrize("missing_bytes", [0, 1])
def test_what_fits_to_the_byte_fits(missing_bytes: int) -> None:
    peak = estimate(tiny("llama"), planned(2, 24), CPU).peak.allocated_bytes
    used = 5 * GIB
    device = CPU.model_copy(
        update={"memory_bytes": used + peak - missing_bytes, "used_bytes": used}
    )
    prediction = estimate(tiny("llama"), planned(2, 24), device)
    assert prediction.spare_bytes == -missing_bytes
    assert prediction.fits is (missing_bytes == 0)
    assert prediction.verdict == ("does_not_fit" if missing_bytes else "fits")


def test_unknown_memory_leaves_the_question_open() -> None:
    device = CARD.model_copy(update={"memory_bytes": None})
    prediction = estimate(tiny("llama"), planned(2, 24), device)
    assert prediction.spare_bytes is None
    assert prediction.fits is None
    assert prediction.message().fits is None


@pytest.fixture
def weights_only(tmp_path: Path) -> Model:
    path = tmp_path / "weights.safetensors"
    save_file(
        {
            "layers.0.weight": torch.zeros(10, 20, dtype=torch.bfloat16),
            "layers.1.weight": torch.zeros(10, 20, dtype=torch.bfloat16),
            "head": torch.zeros(7, dtype=torch.bfloat16),
        },
        path,
    )
    return load(path)


@pytest.mark.parametrize(
    ("optimizer", "states"), [("adamw", 2), ("sgd", 0), ("rmsprop", 1)], ids=str
)
def test_weights_alone_take_parameters_gradients_and_states(
    weights_only: Model, optimizer: str, states: int
) -> None:
    prediction = estimate(weights_only, planned(2, 24, optimizer__name=optimizer), CARD)
    parts = prediction.peak.by_category
    assert prediction.model.parameters == 407
    assert parts.parameters == parts.gradients == 407 * 4
    assert parts.optimizer_state == states * 407 * 4
    assert parts.activations == parts.inputs == 0
    assert prediction.method.startswith("weights only")
    assert any("parameters only" in note for note in prediction.notes)
    assert prediction.parameters_only


def test_an_estimate_without_a_plan_takes_the_usual_one() -> None:
    model = replace(tiny("llama"), name="usual")
    assert estimate(model, device=CARD).plan.precision == "bf16"
    assert estimate(model).device.kind == "cpu"
