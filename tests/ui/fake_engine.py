"""A small engine for the window's tests: speaks the protocol, computes nothing heavy.

It is a script, started as the real engine is: the other ``fake_`` files are found beside it. What
it does badly is asked for by the source that is opened: ``crash``, ``rubbish``, ``trust``,
``broken``, ``slow``; ``parts`` and ``parts slowly`` have estimates told in two parts.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator

from fake_figures import CARD, CPU, GIB, PRESETS, categories, layers, make_estimate, model_info
from fake_history import past_runs
from fake_run import described, run_of
from fake_search import search_of, smallest_of
from fake_snapshot import read_snapshot

from memplanner.errors import PlanError
from memplanner.messages import protocol
from memplanner.messages.device import Device
from memplanner.messages.effects import EffectKind, OptionEffect
from memplanner.messages.estimate import (
    DeviceFigures,
    Estimate,
    Layer,
    ModuleDetail,
    ParameterInfo,
)
from memplanner.plan import Plan
from memplanner.plan.offers import offers

RUNS_AS = protocol.RunsAs(
    plan=Plan(),
    allocated_bytes=20 * GIB,
    device_bytes=21 * GIB,
    sentence="runs with a peak of 21.0 GiB on the device, as planned",
)


class FakeEngine:
    def __init__(self) -> None:
        self.source = ""
        self.applied = 0
        self.stop = threading.Event()
        self.requests: queue.Queue[protocol.AnyRequest] = queue.Queue()

    def say(self, reply: protocol.Reply) -> None:
        sys.stdout.write(reply.model_dump_json(by_alias=True) + "\n")
        sys.stdout.flush()

    def listen(self) -> None:
        for line in sys.stdin:
            request = protocol.read_request.validate_json(line)
            if isinstance(request, protocol.StopRun):
                self.stop.set()
                self.say(protocol.Ready(id=request.id, seconds=0.0))
            elif isinstance(request, protocol.Hello):  # at once, whatever is computed
                for reply in self.answer(request):
                    self.say(reply)
            else:
                self.requests.put(request)
        os._exit(0)

    def work(self) -> None:
        while True:
            request = self.requests.get()
            if isinstance(request, protocol.Shutdown):
                os._exit(0)
            for reply in self.answer(request):
                self.say(reply)

    def device(self, name: str) -> Device:
        return CARD if name == CARD.name else CPU

    def answer(self, request: protocol.AnyRequest) -> Iterator[protocol.Reply]:
        match request:
            case protocol.Hello():
                yield protocol.EngineInfo(
                    id=request.id,
                    version="0.1.0",
                    python="3.11.2",
                    interpreter=sys.executable,
                    process_id=os.getpid(),
                    torch="2.13.0",
                    transformers="5.0.0",
                    host_memory_bytes=16 * GIB,
                    host_free_bytes=12 * GIB,
                )
            case protocol.WarmUp():
                yield protocol.Ready(id=request.id, seconds=0.1)
            case protocol.ListDevices():
                yield protocol.Devices(id=request.id, devices=(CPU, CARD))
            case protocol.ListPresets():
                yield protocol.Presets(
                    id=request.id,
                    presets=tuple(
                        protocol.Preset(
                            name=name,
                            title=name,
                            class_name=kind,
                            family=family,
                            publisher=publisher,
                            parameters=count,
                        )
                        for name, kind, family, publisher, count in PRESETS
                    ),
                )
            case protocol.ListTargets():
                yield protocol.Targets(
                    id=request.id,
                    targets=(
                        protocol.Target(
                            name="plan",
                            title="Plan as YAML",
                            explanation="Opens again with everything intact.",
                            file_name="plan.yaml",
                        ),
                        protocol.Target(
                            name="accelerate",
                            title="Accelerate",
                            explanation="For accelerate launch.",
                            file_name="accelerate.yaml",
                        ),
                    ),
                )
            case protocol.OpenModel():
                yield from self.open(request)
            case protocol.MakeEstimate():
                made = make_estimate(
                    self.source, request.plan, self.device(request.device), request.rank
                )
                if self.source.startswith("parts"):
                    yield from self.in_parts(request.id, made)
                else:
                    yield protocol.Estimated(id=request.id, estimate=made)
            case protocol.ListEffects():
                yield from self.effects(request)
            case protocol.SearchPlans():
                yield from search_of(request, self.device(request.device), self.requests)
            case protocol.FindSmallestChange():
                yield smallest_of(request, self.device(request.device))
            case protocol.StopSearch():
                pass  # the search is answered, not this
            case protocol.ComparePlans():
                yield self.compare(request)
            case protocol.ListLayers():
                yield protocol.Layers(id=request.id, moment=request.moment, layers=layers(Plan()))
            case protocol.DescribeModule():
                row = Layer(name=request.name, type="Linear", parameters_bytes=GIB)
                yield protocol.Described(
                    id=request.id,
                    detail=ModuleDetail(
                        name=request.name,
                        type="Linear",
                        alike=1,
                        parameters=(
                            ParameterInfo(
                                name="weight",
                                shape=(4096, 4096),
                                dtype="bfloat16",
                                size_bytes=4096 * 4096 * 2,
                                trainable=True,
                            ),
                        ),
                        kept=(),
                        layer=row,
                    ),
                )
            case protocol.ExportPlan():
                yield from self.export(request)
            case protocol.ImportPlan():
                yield self.import_plan(request)
            case protocol.ListRuns():
                yield past_runs(request, self.applied)
            case protocol.ReadSnapshot():
                yield from read_snapshot(request)
            case protocol.DescribeRun():
                yield described(request, self.source, self.device(request.device))
            case protocol.ApplyPlan():
                self.applied += 1
                yield from run_of(request, self.source, self.stop)
            case _:
                raise AssertionError(request)

    def in_parts(self, number: int, made: Estimate) -> Iterator[protocol.Reply]:
        """What the device shows comes after the rest."""
        untold = {"verdict": None, "fits": None, "spare_bytes": None, "notes": (), "overhead": ()}
        yield protocol.FirstFigures(id=number, estimate=made.model_copy(update=untold))
        if "slowly" in self.source:
            time.sleep(1)
        shared = DeviceFigures.model_fields.keys() & Estimate.model_fields.keys()
        told = {name: getattr(made, name) for name in shared}
        figures = DeviceFigures(reserved_bytes=made.timeline.reserved_bytes, **told)
        yield protocol.RestEstimated(id=number, figures=figures)

    def import_plan(self, request: protocol.ImportPlan) -> protocol.Reply:
        from memplanner.importing import read_trainer  # few tests open a trainer's file

        try:
            read = read_trainer(request.path, request.plan)
        except PlanError as error:
            return protocol.Failure(id=request.id, error="PlanError", sentence=str(error))
        return protocol.Imported(
            id=request.id,
            title=read.title,
            plan=read.plan,
            model=read.model,
            source=read.source,
            no_place=read.no_place,
            aside=read.aside,
            notes=read.notes,
        )

    def compare(self, request: protocol.ComparePlans) -> protocol.Compared:
        """Plans with a sequence of 13 cannot be carried out."""
        device, outcomes = self.device(request.device), []
        for plan in request.plans:
            if plan.training.sequence_length == 13:
                sentence = "13 is no length here; choose training.sequence_length=16."
                outcomes.append(protocol.ComparedPlan(sentence=sentence))
            else:
                made = make_estimate(self.source, plan, device)
                outcomes.append(protocol.ComparedPlan(estimate=made))
        return protocol.Compared(id=request.id, outcomes=tuple(outcomes))

    def effects(self, request: protocol.ListEffects) -> Iterator[protocol.Reply]:
        now = categories(request.plan).total_bytes
        found = offers(request.plan)
        for offer in found:
            try:
                changed = request.plan.with_values({offer.key: offer.value})
            except PlanError:
                continue
            size = categories(changed).total_bytes - GIB * (offer.value == "full")
            kind: EffectKind = "same"
            if size != now:
                kind = "saves" if size < now else "takes"
            refused = offer.key == "quantization.method"
            yield protocol.Effect(
                id=request.id,
                effect=OptionEffect(
                    key=offer.key,
                    value=offer.value,
                    kind="refused" if refused else kind,
                    allocated_bytes=size,
                    allocated_difference_bytes=size - now,
                    verdict="fits",
                    refused="it freezes the weights; choose adapters.method=lora." * refused,
                    needs="adapters.method=lora" * refused,
                ),
            )
            if not self.requests.empty():
                yield protocol.Superseded(id=request.id)
                return
        yield protocol.EffectsListed(id=request.id, count=len(found), complete=True, seconds=0.1)

    def open(self, request: protocol.OpenModel) -> Iterator[protocol.Reply]:
        if request.source == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if request.source == "slow":
            time.sleep(1.5)
        if request.source == "rubbish":
            sys.stdout.write('half a line, {"kind": "nothing"}\n[1, 2\n')
            sys.stdout.flush()
            print("user code prints", file=sys.stderr, flush=True)
        if request.source == "broken":
            yield protocol.Failure(
                id=request.id,
                error="SourceError",
                sentence="broken is cut short at 12 bytes; download it again.",
            )
            return
        if request.source == "trust" and not request.trust_code:
            yield protocol.Failure(
                id=request.id,
                error="SourceError",
                sentence="trust comes with its own code, modeling_own.py, which is not run "
                "unless you agree.",
                trust_needed=True,
            )
            return
        self.source = request.source
        yield protocol.Progress(id=request.id, text="Building the model")
        yield protocol.Opened(id=request.id, model=model_info(request.source), plan=Plan())

    def export(self, request: protocol.ExportPlan) -> Iterator[protocol.Reply]:
        text = f"# memplanner\nprecision: {request.plan.precision}\n"
        cannot = ("Gradient accumulation: set it in the script.",)
        written: tuple[str, ...] = ()
        if request.output is not None:
            with open(request.output, "w", encoding="utf-8") as file:
                file.write(text)
            written = (request.output,)
        yield protocol.Exported(
            id=request.id,
            target=request.target,
            files=(protocol.ExportedFile(name=f"{request.target}.yaml", text=text),),
            cannot_say=cannot if request.target == "accelerate" else (),
            written=written,
            runs_as=RUNS_AS if request.target == "accelerate" else None,
        )


if __name__ == "__main__":
    if "--fail" in sys.argv:
        print("Traceback: no engine today", file=sys.stderr)
        sys.exit(3)
    if "--deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "--stranger" in sys.argv:
        sys.stdin.readline()
        print('{"kind": "engine_info", "id": 1, "schema": 9, "version": "9.1"}', flush=True)
        time.sleep(30)
    engine = FakeEngine()
    if "--deaf" in sys.argv:
        for line in sys.stdin:
            asked = protocol.read_request.validate_json(line)
            if isinstance(asked, protocol.Hello):
                for reply in engine.answer(asked):
                    engine.say(reply)
        while True:
            time.sleep(1)
    threading.Thread(target=engine.listen, daemon=True).start()
    engine.work()
