"""A small engine for the window's tests: speaks the protocol, computes nothing heavy.

What it does badly is asked for by the source that is opened: ``crash``, ``rubbish``, ``trust``,
``broken``, ``slow``.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator

from memplanner.errors import PlanError
from memplanner.messages import protocol
from memplanner.messages.device import Device
from memplanner.messages.effects import EffectKind, OptionEffect
from memplanner.messages.estimate import (
    Categories,
    Estimate,
    Layer,
    ModelInfo,
    ModuleDetail,
    ParameterInfo,
    Peak,
    RankFigures,
    Span,
    Timeline,
    Traffic,
)
from memplanner.messages.run import (
    RunEvent,
    RunFigures,
    RunProgress,
    RunResult,
    RunSample,
    RunStarted,
    RunStep,
)
from memplanner.plan import Plan
from memplanner.plan.offers import offers

GIB = 1024**3
CPU = Device(name="CPU", kind="cpu", memory_bytes=16 * GIB, used_bytes=4 * GIB, local=True)
CARD = Device(name="H100 80GB", kind="cuda", memory_bytes=85_520_809_984, architecture="9.0")
PRESETS = (
    ("llama-3.1-8b", "LlamaForCausalLM", "language", "meta-llama", 8030261248),
    ("gpt2", "GPT2LMHeadModel", "language", "openai", 124439808),
    ("vit-b-16", "ViTForImageClassification", "vision", "google", 86567656),
)


def model_info(source: str) -> ModelInfo:
    name = source.removeprefix("preset:")
    return ModelInfo(
        name=name,
        class_name="LlamaForCausalLM",
        source=source,
        kind="preset",
        parameters=8030261248,
        trainable_parameters=8030261248,
        buffers=0,
        weights="random",
    )


def layers(plan: Plan) -> tuple[Layer, ...]:
    activations = plan.training.batch_size * plan.training.sequence_length * 4096
    return (
        Layer(name="", type="LlamaForCausalLM"),
        Layer(name="model", type="LlamaModel"),
        Layer(name="model.embed_tokens", type="Embedding", parameters_bytes=GIB),
        Layer(name="model.layers", type="ModuleList"),
        *(
            Layer(
                name=f"model.layers.{index}",
                type="LlamaDecoderLayer",
                parameters_bytes=GIB // 4,
                gradients_bytes=GIB // 4,
                optimizer_state_bytes=GIB // 2,
                activations_bytes=activations,
                alike=8 - index,
            )
            for index in range(8)
        ),
        Layer(name="lm_head", type="Linear", parameters_bytes=GIB, temporaries_bytes=GIB // 2),
    )


def categories(plan: Plan) -> Categories:
    rows = layers(plan)
    return Categories(
        parameters=sum(row.parameters_bytes for row in rows),
        gradients=sum(row.gradients_bytes for row in rows),
        optimizer_state=sum(row.optimizer_state_bytes for row in rows),
        activations=sum(row.activations_bytes for row in rows),
        temporaries=sum(row.temporaries_bytes for row in rows),
    )


def ranks(plan: Plan, device: Device) -> tuple[RankFigures, ...]:
    """The first stage of a pipeline has most in flight; 32 blocks are dealt out."""
    section, parts = plan.sharding, categories(plan)
    if section.ranks == 1:
        return ()
    in_stage = section.ranks // section.pipeline
    counts = section.stage_blocks or (32 // section.pipeline,) * section.pipeline
    found = []
    for stage in range(section.pipeline):
        kept = min(plan.training.gradient_accumulation_steps, section.pipeline - stage)
        own = parts.model_copy(update={"activations": parts.activations * kept})
        found.append(
            RankFigures(
                first=stage * in_stage,
                count=in_stage,
                stage=stage,
                allocated_bytes=own.total_bytes,
                device_bytes=own.total_bytes + device.used_bytes,
                verdict="fits",
                phase="backward",
                by_category=own,
                parameters=8030261248 * counts[stage] // 32,
                blocks=((sum(counts[:stage]), sum(counts[: stage + 1])),),
            )
        )
    return tuple(found)


def make_estimate(source: str, plan: Plan, device: Device, rank: int | None = None) -> Estimate:
    parts = categories(plan)
    every = ranks(plan, device)
    chosen = 0 if rank is None else rank
    if every:
        parts = every[chosen // every[0].count].by_category
    total = parts.total_bytes
    free = device.free_bytes or 0
    points = 60
    curve = tuple(total - abs(30 - point) * (total // 100) for point in range(points))
    return Estimate(
        model=model_info(source),
        device=device,
        plan=plan,
        peak=Peak(
            allocated_bytes=total,
            reserved_bytes=None,
            device_bytes=total + device.used_bytes if every else None,
            phase="backward",
            module="lm_head",
            by_category=parts,
        ),
        layers=layers(plan),
        timeline=Timeline(
            events=points,
            event=tuple(range(points)),
            allocated_bytes=curve,
            by_category={"parameters": curve},
            phases=(Span("forward", 0, 0, 30), Span("backward", 0, 30, 60)),
            peak_event=30,
        ),
        fits=total <= free,
        spare_bytes=free - total,
        verdict="fits" if total <= free else "does_not_fit",
        method="recorded on meta tensors, 8 blocks folded to 3",
        notes=(),
        seconds=0.01,
        rank=chosen,
        ranks=every,
        traffic=(
            Traffic(kind="all_gather", link="card", calls=66, sent_bytes=28 * GIB, seconds=0.062),
            Traffic(kind="send", link="node", calls=8, sent_bytes=GIB // 4),
        )
        if every
        else (),
    )


class FakeEngine:
    def __init__(self) -> None:
        self.source = ""
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
                yield protocol.Estimated(
                    id=request.id,
                    estimate=make_estimate(
                        self.source, request.plan, self.device(request.device), request.rank
                    ),
                )
            case protocol.ListEffects():
                yield from self.effects(request)
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
            case protocol.ApplyPlan():
                yield from self.apply(request)
            case _:
                raise AssertionError(request)

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
        )

    def apply(self, request: protocol.ApplyPlan) -> Iterator[protocol.Reply]:
        self.stop.clear()
        parts = categories(request.plan)
        figures = RunFigures(
            allocated_bytes=parts.total_bytes,
            phase="backward",
            by_category=parts,
            by_phase={"forward": parts.total_bytes // 2, "backward": parts.total_bytes},
            curve_bytes=(parts.total_bytes // 2, parts.total_bytes, parts.total_bytes // 2),
            curve_phases=("forward", "backward", "optimizer_step"),
        )

        def run(event: RunEvent) -> protocol.Run:
            return protocol.Run(id=request.id, event=event)

        yield run(
            RunStarted(
                model=model_info(self.source),
                device=CPU,
                plan=request.plan,
                steps=request.steps,
                process_id=os.getpid(),
                data=request.data or "generated tokens",
                predicted=figures,
            )
        )
        yield run(RunProgress(seconds=0.1, title="Model built", detail="random weights"))
        done = 0
        for step in range(1, request.steps + 1):
            for point in range(5):
                time.sleep(0.01)
                yield run(
                    RunSample(
                        seconds=step + point / 10,
                        allocated_bytes=parts.total_bytes // 2 + point,
                        highest_bytes=parts.total_bytes // 2 + point,
                        reserved_bytes=None,
                        device_bytes=parts.total_bytes,
                        phase="forward",
                        step=step,
                        micro_batch=0,
                    )
                )
            done = step
            yield run(
                RunStep(
                    seconds=float(step),
                    step=step,
                    loss=3.0 - 0.1 * step,
                    step_seconds=1.0,
                    peak_bytes=parts.total_bytes,
                )
            )
            if self.stop.is_set():
                break
        stopped = done < request.steps
        out_of_memory = request.plan.training.batch_size == 13
        outcome = "out_of_memory" if out_of_memory else "stopped" if stopped else "finished"
        yield run(
            RunResult(
                outcome=outcome,
                sentence="The device ran out of memory in step 2; take a smaller micro-batch."
                if out_of_memory
                else f"{done} steps done.",
                model=model_info(self.source),
                device=CPU,
                plan=request.plan,
                predicted=figures,
                measured=None if out_of_memory else figures,
                error=None if out_of_memory else 0.0,
                steps=done,
                losses=tuple(3.0 - 0.1 * step for step in range(1, done + 1)),
                step_seconds=(1.0,) * done,
                missing_bytes=GIB if out_of_memory else None,
                where="backward, lm_head" if out_of_memory else "",
                seconds=float(done),
            )
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
