"""What crosses between processes: it comes back equal, cannot be changed, and brings no torch."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from memplanner.messages import protocol
from memplanner.messages.base import SCHEMA, Message
from memplanner.messages.device import Device, DeviceKind
from memplanner.messages.estimate import (
    CATEGORIES,
    Categories,
    DeviceFigures,
    Estimate,
    Layer,
    ModelInfo,
    Moment,
    Peak,
    Phase,
    Span,
    Timeline,
)
from memplanner.messages.run import (
    LayerQuality,
    Outcome,
    QualityFigures,
    QualityReport,
    RunEvent,
    RunFigures,
    RunProgress,
    RunResult,
    RunSample,
    RunStarted,
    RunStep,
)
from memplanner.plan import Plan
from tests.plan.plans import plans

sizes = st.integers(0, 2**60)
words = st.text(max_size=30)
seconds = st.floats(0, 1e6)
phases = st.sampled_from(get_args(Phase))

devices = st.builds(
    Device,
    name=words,
    kind=st.sampled_from(get_args(DeviceKind)),
    memory_bytes=st.none() | sizes,
    used_bytes=sizes,
    architecture=words,
    index=st.none() | st.integers(0, 15),
    local=st.booleans(),
)
categories = st.builds(Categories, **dict.fromkeys(CATEGORIES, sizes))
models = st.builds(
    ModelInfo,
    name=words,
    class_name=words,
    source=words,
    kind=words,
    parameters=sizes,
    trainable_parameters=sizes,
    buffers=sizes,
    weights=st.sampled_from(("real", "random")),
    max_sequence_length=st.none() | sizes,
    takes_sequence=st.booleans(),
)
layers = st.builds(Layer, name=words, type=words, parameters=sizes, kept_bytes=sizes)
peaks = st.builds(
    Peak,
    allocated_bytes=sizes,
    reserved_bytes=st.none() | sizes,
    device_bytes=st.none() | sizes,
    phase=phases,
    module=words,
    by_category=categories,
)
several_sizes = st.lists(sizes, max_size=4).map(tuple)
timelines = st.builds(
    Timeline,
    events=sizes,
    event=several_sizes,
    allocated_bytes=several_sizes,
    by_category=st.dictionaries(st.sampled_from(CATEGORIES), several_sizes, max_size=3),
    phases=st.lists(st.builds(Span, phases, sizes, sizes, sizes), max_size=3).map(tuple),
    peak_event=sizes,
    reserved_bytes=several_sizes,
)
estimates = st.builds(
    Estimate,
    model=models,
    device=devices,
    plan=plans(),
    peak=peaks,
    layers=st.lists(layers, max_size=3).map(tuple),
    timeline=timelines,
    fits=st.none() | st.booleans(),
    spare_bytes=st.none() | st.integers(-(2**60), 2**60),
    method=words,
    notes=st.lists(words, max_size=2).map(tuple),
    seconds=seconds,
)
figures = st.builds(
    RunFigures,
    allocated_bytes=sizes,
    reserved_bytes=st.none() | sizes,
    phase=phases,
    by_category=categories,
    by_phase=st.dictionaries(phases, sizes),
    curve_bytes=several_sizes,
    curve_phases=st.lists(phases, max_size=4).map(tuple),
)
qualities = st.builds(
    QualityFigures,
    loss=st.none() | st.floats(0, 1e6),
    perplexity=st.none() | st.floats(1, allow_nan=False),  # infinite where exp(loss) overflows
    memory_bytes=sizes,
    disk_bytes=sizes,
    per_second=st.none() | seconds,
)
layer_qualities = st.builds(
    LayerQuality,
    name=words,
    type=words,
    output_error=st.floats(0, allow_nan=False),
    before_bytes=sizes,
    after_bytes=sizes,
)
quality = st.builds(
    QualityReport,
    data=words,
    unit=st.sampled_from(("tokens", "samples")),
    count=sizes,
    before=qualities,
    after=qualities,
    layers=st.lists(layer_qualities, max_size=3).map(tuple),
    seconds=seconds,
)
events: st.SearchStrategy[RunEvent] = st.one_of(
    st.builds(
        RunStarted,
        model=models,
        device=devices,
        plan=plans(),
        steps=sizes,
        process_id=sizes,
        data=words,
        predicted=figures,
    ),
    st.builds(RunProgress, seconds=seconds, title=words, detail=words),
    st.builds(
        RunSample,
        seconds=seconds,
        allocated_bytes=sizes,
        highest_bytes=sizes,
        reserved_bytes=st.none() | sizes,
        device_bytes=st.none() | sizes,
        phase=phases,
        step=sizes,
        micro_batch=sizes,
    ),
    st.builds(
        RunStep,
        seconds=seconds,
        step=sizes,
        loss=st.floats(-1e6, 1e6),
        step_seconds=seconds,
        peak_bytes=sizes,
    ),
    st.builds(
        RunResult,
        outcome=st.sampled_from(get_args(Outcome)),
        sentence=words,
        model=models,
        device=devices,
        plan=plans(),
        predicted=figures,
        measured=st.none() | figures,
        error=st.none() | st.floats(-1, 1),
        steps=sizes,
        losses=st.lists(st.floats(-1e6, 1e6), max_size=3).map(tuple),
        step_seconds=st.lists(seconds, max_size=3).map(tuple),
        missing_bytes=st.none() | sizes,
        where=words,
        seconds=seconds,
        quality=st.none() | quality,
        saved=st.none() | words,
    ),
)
numbers = st.integers(0, 10**6)
requests: st.SearchStrategy[Any] = st.one_of(
    st.builds(protocol.Hello, id=numbers),
    st.builds(protocol.OpenModel, id=numbers, source=words, trust_code=st.booleans()),
    st.builds(protocol.MakeEstimate, id=numbers, plan=plans(), device=words),
    st.builds(protocol.ListLayers, id=numbers, moment=st.sampled_from(get_args(Moment))),
    st.builds(protocol.ApplyPlan, id=numbers, plan=plans(), device=words, data=st.none() | words),
    st.builds(protocol.DescribeRun, id=numbers, plan=plans(), device=words, save=st.none() | words),
    st.builds(protocol.StopRun, id=numbers, now=st.booleans()),
    st.builds(
        protocol.ExportPlan, id=numbers, target=words, plan=plans(), output=st.none() | words
    ),
    st.builds(protocol.ImportPlan, id=numbers, path=words, plan=plans()),
    st.builds(protocol.ListRuns, id=numbers, device=st.none() | words, limit=st.integers(1, 10**6)),
)
replies: st.SearchStrategy[Any] = st.one_of(
    st.builds(protocol.Devices, id=numbers, devices=st.lists(devices, max_size=3).map(tuple)),
    st.builds(protocol.Opened, id=numbers, model=models, plan=plans()),
    st.builds(protocol.Estimated, id=numbers, estimate=estimates),
    st.builds(protocol.RestEstimated, id=numbers, figures=estimates.map(lambda one: rest_of(one))),
    st.builds(protocol.Run, id=numbers, event=events),
    st.builds(
        protocol.Imported,
        id=numbers,
        title=words,
        plan=plans(),
        model=st.none() | words,
        source=st.none() | words,
        no_place=st.lists(words, max_size=3).map(tuple),
        aside=st.lists(words, max_size=3).map(tuple),
        notes=st.lists(words, max_size=3).map(tuple),
    ),
    st.builds(protocol.Progress, id=numbers, text=words, fraction=st.none() | seconds),
    st.builds(protocol.Failure, id=numbers, error=words, sentence=words),
)


def line(message: Message) -> str:
    """The message as it is sent."""
    return message.model_dump_json(by_alias=True)


def message_classes() -> Iterator[type[Message]]:
    waiting = [Message]
    while waiting:
        one = waiting.pop()
        if one.__module__.startswith("memplanner.messages."):
            yield one
        waiting += one.__subclasses__()


@given(st.one_of(devices, categories, models, layers, peaks, timelines, estimates, figures))
def test_a_message_comes_back_equal(message: Message) -> None:
    text = line(message)
    assert "\n" not in text, "one message, one line"
    assert type(message).model_validate_json(text) == message


def rest_of(estimate: Estimate) -> DeviceFigures:
    """What of an estimate is told after its first figures."""
    shared = DeviceFigures.model_fields.keys() & Estimate.model_fields.keys()
    told = {name: getattr(estimate, name) for name in shared}
    return DeviceFigures(reserved_bytes=estimate.timeline.reserved_bytes, **told)


@given(estimates, estimates)
def test_an_estimate_in_two_parts_is_the_whole_one(whole: Estimate, other: Estimate) -> None:
    """Of the first part nothing is kept that the second one tells."""
    rest = rest_of(whole)
    curve = {"reserved_bytes": other.timeline.reserved_bytes}
    untold = {name: getattr(other, name) for name in Estimate.model_fields if hasattr(rest, name)}
    first = whole.model_copy(update={**untold, "timeline": whole.timeline.model_copy(update=curve)})
    assert rest.added_to(first) == whole


@given(requests)
def test_a_request_comes_back_as_its_own_kind(request: Any) -> None:
    again = protocol.read_request.validate_json(line(request))
    assert again == request
    assert type(again) is type(request)


@given(replies)
def test_a_reply_comes_back_as_its_own_kind(reply: Any) -> None:
    again = protocol.read_reply.validate_json(line(reply))
    assert again == reply
    assert type(again) is type(reply)


@given(devices)
def test_a_device_says_what_is_free(device: Device) -> None:
    if device.memory_bytes is None:
        assert device.free_bytes is None
    else:
        assert device.free_bytes == device.memory_bytes - device.used_bytes


def test_a_device_is_selected_by_what_tells_it_apart() -> None:
    card = Device(name="NVIDIA L4", kind="cuda", memory_bytes=2**30)
    assert card.selector == "NVIDIA L4"
    assert card.model_copy(update={"local": True, "index": 1}).selector == "cuda:1"
    host = Device(name="cpu", kind="cpu", memory_bytes=None)
    assert host.selector == "cpu"
    assert host.model_copy(update={"name": "EPYC", "local": True}).selector == "cpu"
    assert host.model_copy(update={"name": "Raspberry Pi 5"}).selector == "Raspberry Pi 5"


@given(categories)
def test_categories_add_up(some: Categories) -> None:
    assert some.total_bytes == sum(dict(some).values())


def test_categories_have_one_order_everywhere() -> None:
    assert tuple(Categories.model_fields) == CATEGORIES
    assert tuple(json.loads(line(Categories()))) == CATEGORIES
    columns = [name.removesuffix("_bytes") for name in Layer.model_fields if "_bytes" in name]
    assert tuple(columns) == (*CATEGORIES, "kept")


def test_the_json_of_an_estimate_has_the_promised_keys() -> None:
    keys = [field.alias or name for name, field in Estimate.model_fields.items()]
    assert keys == [
        "schema", "model", "device", "plan", "peak", "layers", "timeline", "fits", "spare_bytes",
        "method", "notes", "seconds", "verdict", "overhead", "allocator", "host_bytes", "rank",
        "ranks", "traffic", "states", "parts", "time", "quality",
    ]  # fmt: skip
    assert ModelInfo.model_fields["class_name"].alias == "class"
    assert Estimate.model_fields["schema_"].default == SCHEMA


@pytest.mark.parametrize("kind", sorted(message_classes(), key=str))
def test_every_message_is_frozen_and_strict(kind: type[Message]) -> None:
    assert kind.model_config["frozen"] is True
    assert kind.model_config["extra"] == "forbid"
    assert kind.__doc__, "says what it is"


def test_a_message_cannot_be_changed_and_takes_no_unknown_key() -> None:
    device = Device(name="CPU", kind="cpu", memory_bytes=1)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(device, next(iter(Device.model_fields)), "other")
    with pytest.raises(ValidationError, match="colour"):
        Device.model_validate({"name": "CPU", "kind": "cpu", "memory_bytes": 1, "colour": "red"})
    with pytest.raises(ValidationError, match="kind"):
        Device.model_validate({"name": "TPU", "kind": "tpu", "memory_bytes": 1})
    with pytest.raises(ValidationError, match="memory_bytes"):
        Device.model_validate({"name": "CPU", "kind": "cpu"})


@pytest.mark.parametrize(
    "union", [protocol.AnyRequest, protocol.AnyReply, RunEvent], ids=["request", "reply", "event"]
)
def test_every_kind_is_named_once_and_after_its_class(union: Any) -> None:
    members = get_args(get_args(union)[0])
    kinds = [member.model_fields["kind"].default for member in members]
    assert len(set(kinds)) == len(kinds)
    for member, kind in zip(members, kinds, strict=True):
        assert kind in "".join(
            f"_{letter.lower()}" if letter.isupper() else letter for letter in member.__name__
        )


@pytest.mark.parametrize("base", [protocol.Request, protocol.Reply])
def test_every_request_and_reply_can_be_read(base: type[BaseModel]) -> None:
    union = protocol.AnyRequest if base is protocol.Request else protocol.AnyReply
    assert set(base.__subclasses__()) == set(get_args(get_args(union)[0]))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kind": "sing", "id": 1}', '{"id": 1}'])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        protocol.read_request.validate_json(text)


def test_a_plan_inside_a_message_is_read_as_strictly_as_alone() -> None:
    request = {"kind": "make_estimate", "id": 1, "device": "cpu", "plan": Plan().to_dict()}
    protocol.read_request.validate_python(request)
    request["plan"]["training"]["batch_size"] = 0
    with pytest.raises(ValidationError, match="batch_size"):
        protocol.read_request.validate_python(request)


def test_messages_bring_no_torch() -> None:
    code = (
        "import sys, memplanner.messages.protocol;"
        "print([name for name in ('torch', 'numpy', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
