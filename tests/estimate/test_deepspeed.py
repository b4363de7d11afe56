from __future__ import annotations

from functools import cache

import pytest
import torch

from memplanner.errors import PlanError, RunError
from memplanner.estimate import Prediction, estimate, recorder
from memplanner.estimate.deepspeed.rank_tape import deepspeed_tape
from memplanner.estimate.deepspeed.share import Share
from memplanner.estimate.moments import Lives, categories
from memplanner.hardware import host_device
from memplanner.hardware.deepspeed_streams import deepspeed_streams
from memplanner.messages.estimate import Categories, Phase
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.run.ranks_request import check_ranks
from memplanner.tape.tape import Tape
from memplanner.techniques.parallel.deepspeed import one_card
from memplanner.techniques.target import Target

CARD = Target("cuda", (9, 0))
PARAMETERS, EMBEDDING = 134_515_008, 28_311_552
BASE: dict[str, object] = {
    "precision": "bf16_mixed",
    "optimizer.implementation": "fused",
    "training.batch_size": 2,
    "training.sequence_length": 64,
    "sharding.engine": "deepspeed",
    "sharding.cards_per_node": 4,
    "sharding.reduce_bucket_size": 30_000_000,
    "sharding.param_persistence_threshold": 1_000,
}


@cache
def smollm() -> Model:
    return load("preset:smollm2-135m")


def planned(**changes: object) -> Plan:
    return Plan().with_values(
        BASE | {key.replace("__", "."): value for key, value in changes.items()}
    )


def tape(plan: Plan) -> Tape:
    recorded, _ = recorder(smollm()).tape(one_card(plan), CARD)
    return deepspeed_tape(recorded, plan, CARD)


def at_end_of(made: Tape, phase: Phase) -> Categories:
    span = next(span for span in made.phases if span.phase == phase)
    return categories(made, Lives.of(made).alive(span.stop - 1))


def named(made: Tape, what: str) -> list[int]:
    """Bytes of all storages of a name."""
    return [
        int(size)
        for size, source in zip(made.size_bytes, made.source, strict=True)
        if made.storages[source].operation == what
    ]


@pytest.mark.parametrize("data", ["zero_1", "zero_2", "zero_3"])
@pytest.mark.parametrize("away", ["none", "host"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_step_leaves_what_it_found(data: str, away: str, accumulation: int) -> None:
    made = tape(planned(sharding__data=data, sharding__offload_optimizer=away,
                        training__gradient_accumulation_steps=accumulation))  # fmt: skip
    curve = made.curve_bytes
    alive: set[int] = set()
    for event in made.events.tolist():
        assert (event in alive) is False if event > 0 else -event in alive
        alive.add(event) if event > 0 else alive.remove(-event)
    assert curve[-1] == curve[made.phases[0].stop - 1]
    assert curve.min() >= 0


def test_zero_2_holds_the_model_a_share_of_full_precision_and_its_bucket() -> None:
    made = tape(planned(sharding__data="zero_2"))
    share = PARAMETERS // 4
    loaded = at_end_of(made, "load")

    assert loaded.parameters == 2 * PARAMETERS
    assert loaded.optimizer_state == 12 * share + 4  # weights, two states and the step's number
    assert loaded.gradients == loaded.communication == 0
    assert named(made, "reduce bucket") == [2 * 30_000_000]
    # five, as four would overflow; the first goes to the last rank alone, and the embedding's to
    # the first one: these are reduced where they lie
    copies = named(made, "gradients to be reduced")
    assert copies == [0, 58_411_008, 59_518_080, 36_065_664, 0]
    reduced = [
        made.storages[source].collective.payload_bytes
        for source in made.source
        if made.storages[source].operation == "gradients to be reduced"
    ]
    assert sum(reduced) == 2 * PARAMETERS
    assert all(copy in (0, payload) for copy, payload in zip(copies, reduced, strict=True))
    touched = at_end_of(made, "backward").gradients
    assert 2 * share <= touched <= 2 * (share + 2 * EMBEDDING)


def test_overlap_takes_a_second_bucket_and_offload_no_state() -> None:
    made = tape(planned(sharding__data="zero_2", sharding__overlap_comm="on",
                        sharding__offload_optimizer="host"))  # fmt: skip

    assert named(made, "reduce bucket") == [60_000_000] * 2
    assert at_end_of(made, "load").optimizer_state == 0
    assert at_end_of(made, "backward").gradients == 0
    # fp32 weights, gradients, two states; the way back in half precision; the largest gradient
    assert made.host_peak_bytes == (16 + 2) * (PARAMETERS // 4) + 4 + 2 * EMBEDDING


def test_zero_1_keeps_whole_gradients_until_the_last_backward_ends() -> None:
    plan = planned(sharding__data="zero_1", training__gradient_accumulation_steps=2)
    made = tape(plan)
    forward = [span for span in made.phases if span.phase == "forward"][1]
    during = categories(made, Lives.of(made).alive(forward.stop - 1))

    assert during.gradients == 2 * PARAMETERS
    assert during.communication == 60_000_000  # the bucket stays until it was used


def test_zero_3_holds_shares_and_gathers_no_more_than_it_may() -> None:
    limit = 12_000_000
    plan = planned(
        sharding__data="zero_3",
        sharding__max_live_parameters=limit,
        sharding__max_reuse_distance=0,
        sharding__prefetch_bucket_size=1_000_000,
    )
    made = tape(plan)
    loaded = at_end_of(made, "load")
    small = 61 * 576  # the norms, which stay whole

    assert loaded.parameters == 2 * (PARAMETERS // 4 + small)
    assert loaded.gradients == 2 * PARAMETERS // 4
    assert loaded.optimizer_state == 12 * (PARAMETERS // 4) + 4
    assert loaded.communication == 2 * 30_000_000
    forward = next(span for span in made.phases if span.phase == "forward")
    lives = Lives.of(made)
    there = [
        categories(made, lives.alive(event)).communication - loaded.communication
        for event in range(forward.start, forward.stop, 25)
    ]
    assert max(there) <= 2 * (2 * EMBEDDING + limit)
    assert sorted(there)[len(there) // 2] <= 2 * 2 * limit


def test_zero_3_offloads_all_but_what_is_small() -> None:
    plan = planned(sharding__data="zero_3", sharding__offload_optimizer="host",
                   sharding__offload_parameters="host")  # fmt: skip
    loaded = at_end_of(made := tape(plan), "load")
    small = 61 * 576

    assert loaded.parameters == 2 * small
    assert loaded.optimizer_state == loaded.gradients == 0
    assert made.host_peak_bytes == (16 + 2) * PARAMETERS // 4 + 4 + 2 * PARAMETERS // 4
    # a bucket's largest share, copied to the card, and its norm in fp64
    assert max(named(made, "shares of gradients on their way to the host")) == 10 * EMBEDDING // 4
    whole = [size for size in named(made, "gathered parameters") if size]
    assert [4 * size for size in named(made, "share from the host")] == whole


def test_zero_3_takes_fp32_gradients_of_a_bucket_to_nvme_together() -> None:
    made = tape(planned(sharding__data="zero_3", sharding__offload_optimizer="nvme",
                        sharding__reduce_bucket_size=2 * PARAMETERS))  # fmt: skip
    last_matrix, norms = 576 * 1536, 3 * 576  # what comes at the model's end
    before = PARAMETERS - last_matrix - norms

    assert named(made, "shares of gradients on their way to the host") == [
        4 * before // 4 + (2 + 8) * last_matrix // 4
    ]


def test_fp16_looks_for_infinite_gradients_first() -> None:
    looked = [
        named(tape(planned(sharding__data=data, precision=precision)),
              "look for infinite gradients")
        for data, precision in (("zero_3", "fp16_mixed"), ("zero_3", "bf16_mixed"),
                                ("zero_2", "fp16_mixed"))
    ]  # fmt: skip
    assert looked == [[3 * PARAMETERS // 4], [], []]


def test_streams_hold_no_more_gradients_than_there_are() -> None:
    prefetched = 2 * 50_000_000
    plan = planned(sharding__data="zero_3")
    for trained, reduced in ((1_000, 1_000), (10**9, 60_000_000)):
        (row,) = deepspeed_streams(plan, trained)
        assert row.low_bytes == row.expected_bytes == 0
        assert row.high_bytes == 2 * (prefetched + reduced)
    assert deepspeed_streams(planned(sharding__data="zero_2"), 10**9) == ()


def test_fp32_shares_are_updated_in_place() -> None:
    loaded = at_end_of(tape(planned(sharding__data="zero_3", precision="fp32")), "load")

    assert loaded.optimizer_state == 8 * PARAMETERS // 4 + 4


def test_adapters_alone_have_states() -> None:
    whole = estimate(smollm(), planned(sharding__data="zero_3"), "H100 80GB")
    adapted = estimate(smollm(), planned(sharding__data="zero_3", adapters__method="lora"),
                       "H100 80GB")  # fmt: skip

    trained = adapted.model.trainable_parameters
    assert adapted.peak.by_category.optimizer_state < 12 * trained / 4 + 1000
    assert adapted.peak.allocated_bytes < whole.peak.allocated_bytes


@pytest.fixture(scope="module")
def prediction() -> Prediction:
    return estimate(smollm(), planned(sharding__data="zero_2"), "H100 80GB")


def test_an_estimate_tells_of_states_ranks_traffic_and_margin(prediction: Prediction) -> None:
    message = prediction.message()

    assert message.states[0].size_bytes == 2 * PARAMETERS + 18 * PARAMETERS // 4
    assert sum(row.size_bytes for row in message.states) == message.peak.allocated_bytes
    assert message.peak.by_category.total_bytes == message.peak.allocated_bytes
    assert [rank.count for rank in message.ranks] == [4]
    sent = {row.kind: row.sent_bytes for row in message.traffic}
    flat = 2 * PARAMETERS
    assert sent["all_reduce"] == pytest.approx(2 * flat * 3 / 4, rel=1e-6)
    assert sent["all_gather"] == pytest.approx(flat * 3 / 4, rel=1e-6)
    assert "reckoned" in message.method
    assert any("DeepSpeed 0.19.8" in note for note in message.notes)


def test_zero_1_has_no_estimate_of_deepspeeds() -> None:
    assert estimate(smollm(), planned(sharding__data="zero_1"), "cpu").message().states == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sharding__data": "replicated"}, r"choose sharding\.data=zero_1"),
        ({"precision": "bf16"}, r"choose precision=bf16_mixed"),
        ({"precision": "fp16"}, r"choose precision=fp16_mixed"),
        ({"sharding__tensor": 2}, r"choose sharding\.tensor=1"),
        ({"sharding__bucket_mib": 1}, r"choose sharding\.bucket_mib=25"),
        ({"sharding__prefetch": 1}, r"choose sharding\.prefetch=0"),
        ({"sharding__offload_optimizer": "nvme"}, "choose host"),
        ({"sharding__offload_parameters": "host"}, r"choose sharding\.data=zero_3"),
        ({"sharding__contiguous_gradients": False}, "choose true"),
        ({"sharding__allgather_bucket_size": 3}, "choose 2 or 4"),
        ({"sharding__reduction": "last_micro_batch"}, "choose each_micro_batch"),
        ({"optimizer__name": "adafactor", "optimizer__implementation": "auto"}, "choose adamw"),
        (
            {"quantization__method": "linear", "adapters__method": "lora"},
            r"choose quantization\.method=nf4 or none",
        ),
    ],
)
def test_what_deepspeed_cannot_do_is_refused_with_what_it_can(
    changes: dict[str, object], said: str
) -> None:
    with pytest.raises(PlanError, match=said):
        estimate(smollm(), planned(**{"sharding__data": "zero_2"} | changes), "H100 80GB")


def test_it_is_not_run_here() -> None:
    with pytest.raises(RunError, match=r"set sharding\.engine=torch"):
        check_ranks(planned(sharding__data="zero_2"), host_device(), save=False)


def test_parameters_are_dealt_out_in_the_models_order() -> None:
    """The tape has blocks that were not recorded behind all others."""
    plan = planned(sharding__data="zero_2")
    recorded, _ = recorder(smollm()).tape(one_card(plan), CARD)
    share = Share.of(recorded, plan.sharding)
    named_parameters = smollm().build(torch.device("meta")).named_parameters()

    assert [
        (recorded.module_names[int(recorded.module[one])], int(recorded.numel[one]))
        for one in share.trained
    ] == [(name.rpartition(".")[0], parameter.numel()) for name, parameter in named_parameters]


def test_a_share_is_counted_as_deepspeed_pads_it() -> None:
    recorded, _ = recorder(smollm()).tape(one_card(planned(sharding__data="zero_2")), CARD)
    share = Share.of(
        recorded, planned(sharding__data="zero_2", sharding__cards_per_node=7).sharding
    )

    assert share.elements * 7 >= PARAMETERS
    assert share.elements * 7 - PARAMETERS < 14
    assert share.padding_bytes == 2 * (share.elements * 7 - PARAMETERS)
