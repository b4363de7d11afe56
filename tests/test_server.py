"""The engine process, asked over its real channel."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from memplanner import estimate, load
from memplanner.hardware import find_device
from memplanner.messages import protocol
from memplanner.messages.protocol import AnyReply, Failure, Run
from memplanner.messages.run import RunResult
from memplanner.plan.file import parse_plan
from memplanner.server.channel import LONGEST_LINE_BYTES
from tests.engine import PLAN, SECONDS, Engine, recipe
from tests.run.recipes import write_recipe


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine") / "log")
    yield engine
    engine.end()


def has_torch(process_id: int) -> bool:
    return any("libtorch" in part.path for part in psutil.Process(process_id).memory_maps())


def test_who_and_what_is_here_is_answered_before_torch_and_while_it_is_imported(
    engine: Engine,
) -> None:
    info = engine.ask(protocol.EngineInfo, protocol.Hello)
    assert info.process_id == engine.process.pid
    assert info.torch is not None
    presets = engine.ask(protocol.Presets, protocol.ListPresets).presets
    assert len(presets) == 25
    devices = engine.ask(protocol.Devices, protocol.ListDevices).devices
    assert any(device.local and device.kind == "cpu" for device in devices)
    assert any(device.name == "H100 80GB" for device in devices)
    assert not has_torch(engine.process.pid)

    warm_up, hello = engine.send(
        lambda number: protocol.WarmUp(id=number), lambda number: protocol.Hello(id=number)
    )
    first, second = engine.reply(), engine.reply()
    assert (first.id, first.kind) == (hello, "engine_info")
    assert (second.id, second.kind) == (warm_up, "ready")
    assert has_torch(engine.process.pid)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"not JSON", "Invalid JSON"),
        (b'{"id": 1, "kind": "hello"', "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[]", "object"),
        (b'{"id": 5}', "kind"),
        (b'{"id": 5, "kind": "sing"}', "kind"),
        (b'{"id": "five", "kind": "hello"}', "hello.id"),
        (b'{"kind": "hello"}', "hello.id"),
        (b'{"id": 5, "kind": "hello", "more": 1}', "hello.more"),
        (b'{"id": 5, "kind": "list_layers", "moment": "never"}', "list_layers.moment"),
        (b'{"id": 5, "kind": "make_estimate", "device": "cpu", "plan": {"precision": 7}}',
         "make_estimate.plan.precision"),
        (b'{"id": 5, "kind": "apply_plan", "device": "cpu", "plan": {}, "steps": "many"}',
         "apply_plan.steps"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_a_sentence(
    engine: Engine, line: bytes, words: str
) -> None:
    engine.write(line + b"\n")
    reply = engine.reply()
    assert isinstance(reply, Failure)
    assert (reply.id, reply.error, reply.trust_needed) == (0, "ProtocolError", False)
    assert words in reply.sentence
    assert reply.sentence.endswith(".")
    assert "\n" not in reply.sentence
    engine.ask(protocol.EngineInfo, protocol.Hello)


def test_empty_lines_mean_nothing_and_too_long_ones_are_refused(engine: Engine) -> None:
    engine.write(b"\n  \n\r\n")
    engine.write(b" " * (2 * LONGEST_LINE_BYTES) + b"\n")
    reply = engine.reply()
    assert isinstance(reply, Failure)
    assert reply.id == 0
    assert "longer than" in reply.sentence
    engine.ask(protocol.EngineInfo, protocol.Hello)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (lambda number: protocol.MakeEstimate(id=number, plan=PLAN, device="cpu"), "No model"),
        (lambda number: protocol.ApplyPlan(id=number, plan=PLAN, device="cpu"), "No model"),
        (lambda number: protocol.DescribeRun(id=number, plan=PLAN, device="cpu"), "No model"),
        (lambda number: protocol.ListLayers(id=number, moment="peak"), "estimated"),
        (lambda number: protocol.DescribeModule(id=number, name=""), "estimated"),
        (lambda number: protocol.ExportPlan(id=number, target="plan", plan=PLAN), "No model"),
        (lambda number: protocol.OpenModel(id=number, source="preset:none"), "not a preset"),
    ],
    ids=["estimate", "apply", "dry run", "layers", "describe", "export", "open"],
)
def test_what_has_nothing_to_work_on_is_a_sentence(
    engine: Engine, request_: Callable[[int], protocol.Request], words: str
) -> None:
    (number,) = engine.send(request_)
    reply = engine.answers(number)[number]
    assert isinstance(reply, Failure)
    assert reply.error == "SourceError"
    assert words in reply.sentence


def test_a_stop_without_a_run_is_answered(engine: Engine) -> None:
    assert engine.ask(protocol.Ready, protocol.StopRun, now=True).seconds < 1


def test_a_model_is_opened_estimated_looked_into_and_exported(
    engine: Engine, tmp_path: Path
) -> None:
    opened = engine.open("preset:smollm2-135m")
    assert opened.model.parameters == 134_515_008
    assert opened.plan.training.batch_size == 1

    estimate = engine.estimate(opened.plan, "H100 80GB").estimate
    peak = estimate.peak
    assert peak.by_category.total_bytes == peak.allocated_bytes
    assert estimate.device.name == "H100 80GB"

    for moment in ("peak", "end_of_forward", "optimizer_step", "own_maximum"):
        layers = engine.ask(protocol.Layers, protocol.ListLayers, moment=moment)
        assert layers.moment == moment
        assert [row.name for row in layers.layers] == [row.name for row in estimate.layers]
        if moment == "peak":
            assert layers.layers == estimate.layers
        assert sum(row.parameters for row in layers.layers) == 134_515_008

    name = "model.layers.7.mlp.down_proj"
    detail = engine.ask(protocol.Described, protocol.DescribeModule, name=name).detail
    assert (detail.name, detail.type) == (name, "Linear")
    assert [parameter.shape for parameter in detail.parameters] == [(576, 1536)]
    wrong = engine.ask(Failure, protocol.DescribeModule, name="model.none")
    assert "“model.none”" in wrong.sentence

    targets = engine.ask(protocol.Targets, protocol.ListTargets).targets
    assert {"plan", "accelerate", "script"} <= {target.name for target in targets}
    for target in targets:
        if target.name == "torchtitan":  # which trains models of its own
            refused = engine.ask(Failure, protocol.ExportPlan, target=target.name, plan=opened.plan)
            assert "models of its own" in refused.sentence
            continue
        shown = engine.ask(
            protocol.Exported, protocol.ExportPlan, target=target.name, plan=opened.plan
        )
        assert shown.written == ()
        assert shown.files[0].name == target.file_name
    written = engine.ask(
        protocol.Exported, protocol.ExportPlan, target="plan", plan=PLAN,
        output=str(tmp_path / "plan.yaml"),
    )  # fmt: skip
    assert written.written == (str(tmp_path / "plan.yaml"),)
    assert parse_plan((tmp_path / "plan.yaml").read_text()) == PLAN
    full = engine.ask(Failure, protocol.ExportPlan, target="plan", plan=PLAN, output="/dev/full")
    assert (full.error, "/dev/full" in full.sentence) == ("ExportError", True)


def test_a_newer_estimate_replaces_those_that_wait(engine: Engine, tmp_path: Path) -> None:
    path = recipe(tmp_path, top="time.sleep(1)")

    def estimate(batch_size: int) -> Callable[[int], protocol.Request]:
        plan = PLAN.with_values({"training.batch_size": batch_size})
        return lambda number: protocol.MakeEstimate(id=number, plan=plan, device="cpu")

    ids = engine.send(
        lambda number: protocol.OpenModel(id=number, source=str(path)), *map(estimate, range(3, 8))
    )
    answers = engine.answers(*ids)
    assert [answers[number].kind for number in ids] == [
        "opened", *["superseded"] * 4, "estimated",
    ]  # fmt: skip
    last = answers[ids[-1]]
    assert isinstance(last, protocol.Estimated)
    assert last.estimate.plan.training.batch_size == 7


def test_what_a_card_shows_is_told_after_the_rest(engine: Engine) -> None:
    source = "preset:smollm2-135m"
    engine.open(source)
    engine.send(lambda number: protocol.MakeEstimate(id=number, plan=PLAN, device="H100 80GB"))
    first, rest = engine.reply(), engine.reply()
    assert isinstance(first, protocol.FirstFigures)
    assert isinstance(rest, protocol.RestEstimated)
    assert (first.estimate.verdict, first.estimate.allocator) == (None, None)
    whole = estimate(load(source), PLAN, find_device("H100 80GB")).message()
    told = rest.figures.added_to(first.estimate)
    assert told == whole.model_copy(update={"seconds": told.seconds, "device": told.device})
    assert told.peak.reserved_bytes == max(told.timeline.reserved_bytes)


def test_a_failed_open_leaves_the_open_model(engine: Engine, tmp_path: Path) -> None:
    engine.open(recipe(tmp_path))
    missing = tmp_path / "missing.py"
    failure = engine.ask(Failure, protocol.OpenModel, source=str(missing))
    assert (failure.error, failure.trust_needed) == ("SourceError", False)
    assert str(missing) in failure.sentence
    unknown = engine.ask(Failure, protocol.MakeEstimate, plan=PLAN, device="H1000")
    assert unknown.error == "DeviceError"
    assert engine.estimate().estimate.model.name == "own"


def test_a_model_with_code_of_its_own_asks_for_trust(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "own", "auto_map": {"AutoModel": "modeling_own.Own"}})
    )
    failure = engine.ask(Failure, protocol.OpenModel, source=str(tmp_path))
    assert (failure.error, failure.trust_needed) == ("TrustNeeded", True)
    assert "modeling_own.py" in failure.sentence
    trusted = engine.ask(Failure, protocol.OpenModel, source=str(tmp_path), trust_code=True)
    assert (trusted.error, trusted.trust_needed) == ("SourceError", False)


@pytest.mark.parametrize("where", ["top", "model", "forward"])
def test_what_nobody_foresaw_is_a_defect_and_the_engine_lives_on(
    engine: Engine, tmp_path: Path, where: str
) -> None:
    path = recipe(tmp_path, **{where: "raise Odd('of a kind')"})
    if where == "forward":
        engine.open(path)
        failure = engine.ask(Failure, protocol.MakeEstimate, plan=PLAN, device="cpu")
    else:
        failure = engine.ask(Failure, protocol.OpenModel, source=str(path))
    assert failure.error == "Defect"
    assert "(Odd: of a kind)" in failure.sentence
    assert "Traceback" in engine.log.read_text()
    engine.ask(protocol.EngineInfo, protocol.Hello)
    engine.open("preset:smollm2-135m")


def test_idle_work_that_fails_is_no_answer_and_the_engine_lives_on(
    engine: Engine, tmp_path: Path
) -> None:
    engine.open(recipe(tmp_path, forward="if ids.shape[0] == 1: raise Odd('while idle')"))
    engine.estimate()
    until = time.monotonic() + SECONDS
    while "while idle" not in engine.log.read_text() and time.monotonic() < until:
        time.sleep(0.05)
    assert "while idle" in engine.log.read_text()
    engine.ask(protocol.EngineInfo, protocol.Hello)
    assert engine.estimate().estimate.plan == PLAN


def test_what_user_code_prints_and_reads_stays_off_the_channel(
    engine: Engine, tmp_path: Path
) -> None:
    noise = "print('printed'); os.write(1, b'written\\n'); sys.__stdout__.write('old\\n')"
    path = recipe(tmp_path, top=noise, model=noise, forward=noise)
    engine.open(path)
    engine.estimate()
    log = engine.log.read_text()
    assert "printed" in log
    assert "written" in log

    asking = recipe(tmp_path, top="input()")
    failures = engine.send(
        lambda number: protocol.OpenModel(id=number, source=str(asking)),
        lambda number: protocol.Hello(id=number),
        lambda number: protocol.ListTargets(id=number),
    )
    answers = engine.answers(*failures)
    assert [answers[number].kind for number in failures] == ["failure", "engine_info", "targets"]
    first = answers[failures[0]]
    assert isinstance(first, Failure)
    assert "EOFError" in first.sentence


def test_a_run_that_is_stopped_before_it_begins_is_stopped(engine: Engine, tmp_path: Path) -> None:
    engine.open(recipe(tmp_path, forward="time.sleep(0.05)"))
    run, stop = engine.send(
        lambda number: protocol.ApplyPlan(id=number, plan=PLAN, device="cpu", steps=500),
        lambda number: protocol.StopRun(id=number, now=True),
    )
    answers = engine.answers(run, stop)
    assert isinstance(answers[stop], protocol.Ready)
    result = answers[run]
    assert isinstance(result, Run)
    assert isinstance(result.event, RunResult)
    assert (result.event.outcome, result.event.steps) == ("stopped", 0)


def test_a_run_that_cannot_start_leaves_room_for_the_next(engine: Engine, tmp_path: Path) -> None:
    engine.open(recipe(tmp_path))
    for _ in range(2):
        failure = engine.ask(Failure, protocol.ApplyPlan, plan=PLAN, device="cpu", steps=0)
        as_told = engine.ask(Failure, protocol.DescribeRun, plan=PLAN, device="cpu", steps=0)
        assert as_told.sentence == failure.sentence
        assert failure.error == "RunError"
        assert "steps is 0" in failure.sentence


def test_estimates_are_answered_while_a_run_goes_on_and_it_can_be_stopped(
    engine: Engine, tmp_path: Path
) -> None:
    noise = "print('loud'); os.write(1, b'loud\\n'); time.sleep(0.1)"
    engine.open(write_recipe(tmp_path, noise))
    run, begun = engine.start_run(steps=5000)
    assert begun.process_id != engine.process.pid

    def estimate(number: int) -> protocol.Request:
        return protocol.MakeEstimate(id=number, plan=PLAN, device="cpu")

    def second(number: int) -> protocol.Request:
        return protocol.ApplyPlan(id=number, plan=PLAN, device="cpu")

    estimated, refused = engine.send(estimate, second)
    seen: dict[int, AnyReply] = {}
    steps = 0
    while len(seen) < 2 or steps < 1:
        reply = engine.reply()
        if reply.id == run:
            assert isinstance(reply, Run)
            assert reply.event.kind in {"progress", "sample", "step"}
            steps += reply.event.kind == "step"
        else:
            seen[reply.id] = reply
    assert isinstance(seen[estimated], protocol.Estimated)
    refusal = seen[refused]
    assert isinstance(refusal, Failure)
    assert refusal.error == "RunError"
    assert "running already" in refusal.sentence

    (stop,) = engine.send(lambda number: protocol.StopRun(id=number))
    answers = engine.answers(run, stop)
    result = answers[run]
    assert isinstance(result, Run)
    assert isinstance(result.event, RunResult)
    assert result.event.outcome == "stopped"
    assert 1 <= result.event.steps < 5000
    assert len(result.event.losses) == result.event.steps
    assert not psutil.pid_exists(begun.process_id)


def test_the_end_of_input_ends_the_engine_and_its_run(engine: Engine, tmp_path: Path) -> None:
    engine.open(write_recipe(tmp_path, "time.sleep(60)"))
    _, begun = engine.start_run(steps=5000)
    assert psutil.pid_exists(begun.process_id)
    assert engine.process.stdin is not None
    engine.process.stdin.close()
    assert engine.process.wait(20) == 0
    assert not psutil.pid_exists(begun.process_id)
