"""A pipeline's step told from a short one is the step recorded with all its micro-batches."""

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import transformers

import memplanner as mp
from memplanner.estimate.fold_micro_batches import Step, with_all_micro_batches
from memplanner.estimate.held_messages import let_go
from memplanner.estimate.recorder import recorder
from memplanner.estimate.recording import Recordings
from memplanner.estimate.step_work import at_one_point
from memplanner.estimate.traffic import traffic
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.tape.record import record
from memplanner.tape.tape import Tape
from memplanner.techniques.parallel import pipeline_micro_batches
from memplanner.techniques.parallel.pipeline_micro_batches import Order, order_of, shortened
from memplanner.techniques.target import Target


def _model(folder: Path, blocks: int = 8) -> Model:
    config = transformers.LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=blocks,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=96,
        max_position_embeddings=64,
    )
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(folder)
    return mp.load(str(folder))


def _plan(micro_batches: int = 20, **sharding: object) -> Plan:
    plan = Plan().with_values(
        {
            "training.batch_size": 2,
            "training.sequence_length": 16,
            "training.gradient_accumulation_steps": micro_batches,
            "precision": "bf16",
        }
    )
    return plan.model_copy(update={"sharding": Sharding.model_validate(sharding)})


def _target(plan: Plan, stage: int) -> Target:
    ranks = plan.sharding.ranks // plan.sharding.pipeline
    return Target("cuda", (9, 0), rank=stage * ranks)


def _same(one: Tape, other: Tape) -> bool:
    """Whether two tapes are the same but for the numbers of streams."""
    arrays = ("size_bytes", "category", "module", "events", "context", "trainable", "numel")
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
        and one.phases == other.phases
        and one.module_names == other.module_names
        and [replace(info, stream=0) for info in one.storages]
        == [replace(info, stream=0) for info in other.storages]
        and one.work.collectives == other.work.collectives
    )


@pytest.mark.parametrize(
    ("sharding", "blocks"),
    [
        ({"data": "zero_2", "cards_per_node": 16}, 8),
        ({"data": "zero_3", "nodes": 2, "cards_per_node": 8}, 42),
        ({"data": "replicated", "cards_per_node": 16}, 8),
        ({"data": "replicated", "cards_per_node": 16}, 24),
        ({"data": "zero_2", "cards_per_node": 16, "schedule": "gpipe"}, 8),
        (
            {"data": "zero_2", "cards_per_node": 32, "tensor": 2, "reduction": "last_micro_batch"},
            8,
        ),
        ({"cards_per_node": 8}, 8),
        ({"data": "zero_2", "cards_per_node": 16, "zero_grad": "before_backward"}, 8),
    ],
    ids=[
        "ZeRO-2",
        "ZeRO-3 of folded blocks",
        "DDP",
        "DDP of three blocks",
        "GPipe",
        "tensor",
        "alone",
        "zeroed late",
    ],
)
def test_a_stage_is_as_if_recorded_with_all(
    sharding: dict[str, object], blocks: int, tmp_path: Path
) -> None:
    model = _model(tmp_path, blocks)
    zero_grad = sharding.pop("zero_grad", "before_forward")
    plan = _plan(pipeline=8, **sharding).with_values({"training.zero_grad": zero_grad})
    recordings, made = Recordings(model), 0
    for stage in (0, 1, 3, 6, 7):
        target = _target(plan, stage)
        cuts = recorder(model)._choose_cuts(plan, target)
        before = recordings.made
        told = recordings.record(plan, target, (2, 16), cuts)
        made += recordings.made - before
        if stage == 1:
            continue
        parts = recordings.parts(plan, target)
        whole = record(model, plan, target, deepcopy(recordings.stages(parts, cuts)))
        assert _same(told, whole), f"stage {stage}"
    assert made == 3  # those in the middle share one


@pytest.mark.parametrize("stages", range(2, 12))
@pytest.mark.parametrize("schedule", ["1f1b", "gpipe"])
@pytest.mark.parametrize("data", ["zero_2", "zero_3"])
def test_each_part_of_an_order_has_one_that_stands_for_it(
    data: str, schedule: str, stages: int
) -> None:
    values = {"data": data, "cards_per_node": 2 * stages, "pipeline": stages, "schedule": schedule}
    section = Sharding.model_validate(values)
    plan = Plan().model_copy(update={"sharding": section})
    seen = 0
    for micro_batches in range(stages, 3 * stages + 4):
        for stage in range(stages):
            order = order_of(section, stage, micro_batches)
            assert order is not None
            assert sorted(order.work) == sorted(
                (phase, number)
                for phase in ("backward", "forward")
                for number in range(micro_batches)
            )
            for number in range(micro_batches):
                assert order.place("forward", number) < order.place("backward", number)
            for short in shortened(order, plan):
                seen += 1
                assert short.count < order.count
                compared = {work for pair in short.pairs for work in pair}
                for work in order.work:
                    stand = order.stands_for(work, short)
                    assert stand in short.work
                    assert stand[0] == work[0]
                    assert (stand[1] == 0) == (work[1] == 0)
                    last = stand[1] == short.count - 1
                    assert last == (work[1] == order.count - 1) or work[0] == "forward"
                stand_for = Counter(order.stands_for(work, short) for work in order.work)
                alone = {(phase, number) for phase, number in stand_for if not number}
                alone |= {("backward", short.count - 1), ("backward", short.rounds)}
                alone |= {("forward", short.in_flight - 1)}
                assert {work for work, times in stand_for.items() if times > 1} <= compared
                assert stand_for.keys() <= compared | alone
    assert seen or stages == 2


@pytest.mark.parametrize(("in_flight", "count"), [(1, 6), (3, 8), (8, 12)])
def test_never_more_are_in_flight_than_the_schedule_says(in_flight: int, count: int) -> None:
    flying = most = 0
    for phase, _ in Order("1f1b", in_flight, count).work:
        flying += 1 if phase == "forward" else -1
        most = max(most, flying)
    assert (flying, most) == (0, in_flight)


def test_a_step_whose_micro_batches_differ_is_not_told_from_a_short_one(tmp_path: Path) -> None:
    model = _model(tmp_path)
    plan = _plan(data="zero_2", cards_per_node=16, pipeline=8)
    target = _target(plan, 7)
    recordings = Recordings(model)
    parts = recordings.parts(plan, target)
    order = order_of(plan.sharding, 7, 12)
    assert order is not None
    (short,) = shortened(order, plan)
    tape = record(model, plan, target, deepcopy(recordings.stages(parts, ())), shortened=short)
    assert with_all_micro_batches(tape, short, order) is not None

    span = next(s for s in tape.phases if (s.phase, s.micro_batch) == ("forward", 2))
    born = tape.events[span.start : span.stop]
    sizes = tape.size_bytes.copy()
    sizes[born[born > 0][0] - 1] += 512
    assert with_all_micro_batches(replace(tape, size_bytes=sizes), short, order) is None
    assert with_all_micro_batches(tape, replace(short, in_flight=2), order) is None


def test_a_death_of_nothing_may_come_earlier_or_later(tmp_path: Path) -> None:
    """Whether a message dies before or after a storage without size changes no byte."""
    model = _model(tmp_path)
    plan = _plan(data="zero_2", cards_per_node=16, pipeline=8)
    recordings, target = Recordings(model), _target(plan, 3)
    parts = recordings.parts(plan, target)
    order = order_of(plan.sharding, 3, 12)
    assert order is not None
    short = shortened(order, plan)[0]
    stages = deepcopy(recordings.stages(parts, ()))
    tape = record(model, plan, target, stages, shortened=short)
    step = Step.of(let_go(tape, short)[0], short)
    assert step is not None
    one, other = (step.spans[short.place("backward", number)] for number in (1, 3))
    told = [step.tape.events[span.start : span.stop] for span in (one, other)]
    sizes = [np.sign(part) * step.tape.size_bytes[np.abs(part) - 1] for part in told]
    assert not np.array_equal(*sizes)
    assert np.array_equal(*(part[part != 0] for part in sizes))
    assert step.is_regular


def test_a_step_that_cannot_be_told_is_recorded_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _model(tmp_path)
    plan = _plan(data="zero_2", cards_per_node=16, pipeline=8)
    target = _target(plan, 3)
    told = Recordings(model).record(plan, target, (2, 16), ())
    module = import_module("memplanner.estimate.stage_recordings")  # ``estimate`` is a function
    monkeypatch.setattr(module, "with_all_micro_batches", lambda *given: None)
    recordings = Recordings(model)
    assert _same(recordings.record(plan, target, (2, 16), ()), told)
    assert recordings.made == 3  # two short ones, and the whole


def test_micro_batches_that_were_left_out_count_in_time_and_traffic(tmp_path: Path) -> None:
    model = _model(tmp_path)
    plan = _plan(30, data="zero_2", cards_per_node=16, pipeline=8)
    count = pipeline_micro_batches.enough(plan.sharding, 30)
    target = _target(plan, 2)
    recordings = Recordings(model)
    told = recordings.record(plan, target, (2, 16), ())
    stages = deepcopy(recordings.stages(recordings.parts(plan, target), ()))
    whole = record(model, plan, target, stages)
    assert max(span.micro_batch for span in told.phases) == count - 1
    work = [at_one_point(tape.work) for tape in (told, whole)]
    flops = [(one.flops[:, 0] * one.times(30, pipeline=True)).sum() for one in work]
    assert flops[0] == flops[1]
    assert traffic(told, plan.sharding, 30, None) == traffic(whole, plan.sharding, 30, None)
