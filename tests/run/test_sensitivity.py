"""What layers lose in few bits: measured on real weights, in a process, and over the protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import transformers
from torch import nn

import memplanner as mp
from memplanner.errors import PlanError, RunError
from memplanner.messages import protocol
from memplanner.messages.sensitivity import Sensitivity, SensitivityProgress
from memplanner.model.loaded import Model
from memplanner.plan.file import read_plan
from memplanner.run import StopSignal
from memplanner.run.quality import memory_bytes
from memplanner.run.quality_data import quality_data
from memplanner.run.sensitivity import CANDIDATES, measure
from memplanner.techniques.bit_assignment import assign_bits
from memplanner.techniques.low_bit.encoding import encode
from memplanner.techniques.low_bit.expansion import expand_weight, tables
from memplanner.techniques.prepare import prepare
from memplanner.techniques.quantization import with_value
from memplanner.techniques.target import Target
from tests.engine import Engine
from tests.forked_start import FORKED
from tests.run.judging import CPU, planned, write_text
from tests.smollm2 import loaded
from tests.terminal import memplanner

BLOCKS = 3
PLAN = mp.Plan.model_validate({"precision": "fp32"})


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A folder with weights, drawn far from any start."""
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        num_hidden_layers=BLOCKS, hidden_size=64, intermediate_size=96, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, vocab_size=256, initializer_range=0.2,
        tie_word_embeddings=True,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("real")
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return mp.load(folder)


@pytest.fixture(scope="module")
def found(real: Model) -> Sensitivity:
    return measure(real, loaded(real), PLAN, quality_data(real, None))


def test_every_layer_but_the_head_has_every_choice(found: Sensitivity) -> None:
    assert len(found.layers) == 7 * BLOCKS
    for layer in found.layers:
        assert [each.value for each in layer.choices] == ["16", *CANDIDATES]
        first, eight, four, three, two, nf4 = layer.choices
        assert (first.output_error, first.loss_rise) == (0, 0)
        assert first.size_bytes == 4 * layer.weights
        assert eight.output_error < four.output_error < three.output_error < two.output_error
        assert eight.output_error < nf4.output_error < three.output_error
        assert eight.size_bytes > four.size_bytes > three.size_bytes > two.size_bytes


def test_errors_are_those_of_the_layers_outputs(real: Model, found: Sensitivity) -> None:
    """Held against the formulas written plainly, on one window that all tokens are kept of."""
    data = quality_data(real, None)
    window = {name: value[:, :48] for name, value in data.batches[0].items()}
    module = loaded(real).eval()
    name = "model.layers.1.mlp.up_proj"
    layer = module.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    seen: list[torch.Tensor] = []
    handle = layer.register_forward_hook(lambda _, given, output: seen.extend((given[0], output)))
    loss = module(**window).loss
    handle.remove()
    (gradient,) = torch.autograd.grad(loss, seen[1])
    kept = with_value(planned(quantization={"method": "linear"}).quantization, "3")
    shape = (layer.out_features, layer.in_features)
    rounded = expand_weight(
        encode(layer.weight, kept), tables(kept, CPU), kept, shape, torch.float32
    )
    moved = (seen[0] @ (rounded - layer.weight).t()).detach()
    tokens = 48
    rise = 0.5 * ((tokens * gradient * moved).sum(-1) ** 2).sum() / tokens
    short = measure(
        real,
        loaded(real),
        PLAN,
        type(data)((window,), "a text", "tokens", tokens, True),
        candidates=("3",),
    )
    (own,) = (each for each in short.layers if each.name == name)
    assert own.choices[1].loss_rise == pytest.approx(rise.item(), rel=1e-3)
    error = (moved.norm() / seen[1].detach().norm()).item()
    assert own.choices[1].output_error == pytest.approx(error, rel=1e-4)
    assert short.loss == pytest.approx(float(loss.detach()), rel=1e-6)


@pytest.mark.parametrize("exact", [False, True])
def test_an_assignment_takes_what_it_says_to_the_byte(
    real: Model, found: Sensitivity, exact: bool
) -> None:
    least = sum(min(each.size_bytes for each in layer.choices) for layer in found.layers)
    for share in (1.1, 1.5, 3.0):
        budget = found.other_bytes + int(share * least)
        assigned = assign_bits(found, budget, exact=exact)
        assert assigned.size_bytes <= budget
        plan = planned(
            quantization={"method": "linear", "per_layer": list(assigned.per_layer)},
            adapters={"method": "none"},
            inference={"use": "forward"},
        )
        module = prepare(real, plan, Target(), CPU, module=loaded(real)).module
        assert memory_bytes(module) <= assigned.size_bytes
        missing = assigned.size_bytes - memory_bytes(module)
        formats = [with_value(plan.quantization, value) for value in CANDIDATES]
        every = sum(t.nbytes for kept in formats for t in tables(kept, CPU).values())
        assert missing <= every  # tables of formats that no layer took


def test_a_layer_that_takes_no_part_is_named_in_a_note(real: Model) -> None:
    module = loaded(real)
    module.add_module("unused", nn.Linear(8, 8))
    found = measure(real, module, PLAN, quality_data(real, None), candidates=("4",))
    assert found.notes == (
        "1 layers took no part in the forward, so nothing is known of them; they keep the "
        "section's own bits.",
    )
    assert "unused" not in {layer.name for layer in found.layers}


def test_it_is_measured_after_what_quality_is_judged_on(real: Model, tmp_path: Path) -> None:
    judged, after = quality_data(real, None), quality_data(real, None, following=True)
    assert not any(
        torch.equal(one["input_ids"], other["input_ids"])
        for one in judged.batches
        for other in after.batches
    )
    short = write_text(tmp_path, words=20)
    assert quality_data(real, short, following=True).count == quality_data(real, short).count


# In a process


def test_a_process_measures_the_same_and_tells_how_far_it_is(real: Model, tmp_path: Path) -> None:
    text = write_text(tmp_path, words=60)
    told: list[SensitivityProgress] = []
    there = mp.sensitivity(real, PLAN, "cpu", data=text, candidates=("4",), on_progress=told.append)
    data = quality_data(real, text, following=True)
    here = measure(real, loaded(real), PLAN, data, candidates=("4",))
    assert there.loss == pytest.approx(here.loss, rel=1e-5)
    assert [layer.choices[1].size_bytes for layer in there.layers] == [
        layer.choices[1].size_bytes for layer in here.layers
    ]
    assert told[0].text == "Reading weights"


def test_it_can_be_stopped(real: Model) -> None:
    stop = StopSignal()
    stop.request(now=True)
    with pytest.raises(RunError, match="Measuring was stopped"):
        mp.sensitivity(real, PLAN, "cpu", stop=stop)


def test_what_cannot_be_measured_is_refused(real: Model) -> None:
    pruned = planned(pruning={"structure": "structured", "block_ratio": 0.3})
    for model, plan, bits, words in (
        (mp.load("preset:smollm2-135m"), PLAN, ("4",), "has random weights"),
        (real, pruned, ("4",), "choose pruning.structure=none"),
        (real, PLAN, ("9",), "“9” is no choice of bits; choose 2 to 8 or nf4."),
        (real, planned(quantization={"method": "qat"}), ("4",), "has no bits for single layers"),
    ):
        with pytest.raises(PlanError, match=words.replace(".", r"\.")):
            mp.sensitivity(model, plan, "cpu", candidates=bits)


# In the terminal, and over the protocol


@pytest.mark.usefixtures("forked")
def test_the_terminal_writes_a_plan_within_the_budget(real: Model, tmp_path: Path) -> None:
    file, text = tmp_path / "plan.yaml", write_text(tmp_path, words=60)
    result = memplanner(
        "sensitivity", real.source, "--device", "cpu", "--set", "precision=fp32",
        "--set", "adapters.method=lora", "--data", text, "--budget", "200KiB", "--write", file,
        "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert len(answer["sensitivity"]["layers"]) == 7 * BLOCKS
    assert answer["assignment"]["size_bytes"] <= 200 * 1024
    plan = read_plan(file)
    assert plan.quantization.method == "linear"
    assert list(plan.quantization.per_layer) == answer["assignment"]["per_layer"]
    assert plan.adapters.method == "lora"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--budget", "much"], "--budget “much” is not a size; write it like 1.5 GiB."),
        (["--write", "p.yaml"], "--write needs bits to write; give a --budget such as 120MiB."),
    ],
)
def test_the_terminal_refuses_in_a_sentence(options: list[str], sentence: str) -> None:
    result = memplanner("sensitivity", "preset:smollm2-135m", *options)
    assert (result.exit_code, result.stderr.strip()) == (2, sentence)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What measures is forked from a process that has torch."""
    monkeypatch.setattr("memplanner.run.following.subprocess", FORKED)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "log", forked=True)
    yield made
    made.end()


@pytest.mark.slow
def test_the_engine_measures_and_assigns(engine: Engine, real: Model, tmp_path: Path) -> None:
    engine.open(Path(real.source))
    failure = engine.ask(protocol.Failure, protocol.AssignBits, budget_bytes=10)
    assert failure.sentence.startswith("No sensitivity of this model has been measured yet")
    measured = engine.ask(
        protocol.SensitivityMeasured,
        protocol.MeasureSensitivity,
        plan=PLAN,
        device="cpu",
        data=write_text(tmp_path, words=60),
        candidates=("8", "4"),
    )
    assert len(measured.sensitivity.layers) == 7 * BLOCKS
    budget = measured.sensitivity.other_bytes + 80_000
    answer = engine.ask(protocol.BitsAssigned, protocol.AssignBits, budget_bytes=budget)
    assert answer.assignment.size_bytes <= budget
    assert answer.assignment.values.keys() == {layer.name for layer in measured.sensitivity.layers}
