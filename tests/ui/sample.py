"""A believable estimate and run, made from messages alone: an 8B Llama with 32 blocks.

The sizes follow from the shapes (bf16 parameters, gradients and AdamW state, one sequence of 4096
tokens, the MLP recomputed); they are here to be shown, not to be true of any torch version.
"""

from __future__ import annotations

from collections.abc import Iterator

from memplanner.messages.device import Device
from memplanner.messages.estimate import (
    Categories,
    Estimate,
    KeptTensor,
    Layer,
    ModelInfo,
    ModuleDetail,
    OverheadRow,
    ParameterInfo,
    Peak,
    Phase,
    Span,
    Timeline,
)
from memplanner.messages.run import (
    LayerQuality,
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
from memplanner.units import GIB, MIB

BLOCKS = 32
HIDDEN, INTERMEDIATE, KEYS, VOCABULARY, TOKENS = 4096, 14336, 1024, 128256, 4096
CARD_BYTES = 81559 * MIB
OTHER_BYTES = 614 * MIB
MICRO_BATCHES = 8


def model_info() -> ModelInfo:
    return ModelInfo(
        name="Llama-3.1-8B",
        class_name="LlamaForCausalLM",
        source="preset:llama-3.1-8b",
        kind="preset",
        parameters=8_030_261_248,
        trainable_parameters=8_030_261_248,
        buffers=0,
        weights="random",
        max_sequence_length=131072,
    )


def card(used_bytes: int = OTHER_BYTES, memory_bytes: int | None = CARD_BYTES) -> Device:
    return Device(
        name="H100 80GB",
        kind="cuda",
        memory_bytes=memory_bytes,
        used_bytes=used_bytes,
        architecture="9.0",
        index=0,
        local=True,
    )


def plan(batch_size: int = 1) -> Plan:
    return Plan.model_validate(
        {
            "training": {
                "batch_size": batch_size,
                "sequence_length": TOKENS,
                "gradient_accumulation_steps": MICRO_BATCHES,
            }
        }
    )


def _layer(name: str, kind: str, count: int = 0, activations: int = 0, alike: int = 1) -> Layer:
    size = 2 * count
    return Layer(
        name=name,
        type=kind,
        parameters=count,
        parameters_bytes=size,
        gradients_bytes=size,
        optimizer_state_bytes=2 * size,
        activations_bytes=activations,
        kept_bytes=activations,
        alike=alike,
    )


def _block(name: str, alike: int, batch_size: int) -> list[Layer]:
    state = batch_size * TOKENS * HIDDEN * 2
    keys = batch_size * TOKENS * KEYS * 2
    return [
        _layer(name, "LlamaDecoderLayer", alike=alike),
        _layer(f"{name}.self_attn", "LlamaAttention", 0, state, alike),
        _layer(f"{name}.self_attn.q_proj", "Linear", HIDDEN * HIDDEN, state, alike),
        _layer(f"{name}.self_attn.k_proj", "Linear", HIDDEN * KEYS, keys, alike),
        _layer(f"{name}.self_attn.v_proj", "Linear", HIDDEN * KEYS, keys, alike),
        _layer(f"{name}.self_attn.o_proj", "Linear", HIDDEN * HIDDEN, 0, alike),
        _layer(f"{name}.mlp", "LlamaMLP", alike=alike),
        _layer(f"{name}.mlp.gate_proj", "Linear", HIDDEN * INTERMEDIATE, 0, alike),
        _layer(f"{name}.mlp.up_proj", "Linear", HIDDEN * INTERMEDIATE, 0, alike),
        _layer(f"{name}.mlp.down_proj", "Linear", HIDDEN * INTERMEDIATE, 0, alike),
        _layer(f"{name}.mlp.act_fn", "SiLU", 0, 0, alike),
        _layer(f"{name}.input_layernorm", "LlamaRMSNorm", HIDDEN, 2 * state, alike),
        _layer(f"{name}.post_attention_layernorm", "LlamaRMSNorm", HIDDEN, 2 * state, alike),
    ]


def layers(blocks: int = BLOCKS, batch_size: int = 1) -> tuple[Layer, ...]:
    logits = batch_size * TOKENS * VOCABULARY
    result = [
        Layer(
            name="",
            type="LlamaForCausalLM",
            activations_bytes=4 * logits,
            temporaries_bytes=8 * logits,
            inputs_bytes=3 * 8 * batch_size * TOKENS,
        ),
        _layer("model", "LlamaModel"),
        _layer("model.embed_tokens", "Embedding", VOCABULARY * HIDDEN),
        _layer("model.layers", "ModuleList"),
    ]
    for index in range(blocks):
        result += _block(f"model.layers.{index}", blocks - index, batch_size)
    state = batch_size * TOKENS * HIDDEN * 2
    result += [
        _layer("model.norm", "LlamaRMSNorm", HIDDEN, 2 * state),
        Layer(name="model.rotary_emb", type="LlamaRotaryEmbedding", buffers_bytes=512),
        _layer("lm_head", "Linear", VOCABULARY * HIDDEN, 2 * logits),
    ]
    return tuple(result)


def categories(rows: tuple[Layer, ...]) -> Categories:
    names = Categories.model_fields
    return Categories(**{n: sum(getattr(row, f"{n}_bytes") for row in rows) for n in names})


def step_curve() -> tuple[list[int], list[Phase], list[Span]]:
    """One steady step in 40 + 40 points a micro-batch: sizes, phases, spans."""
    fixed, kept, loss = 59.8 * GIB, 6.6 * GIB, 6.9 * GIB
    sizes: list[float] = []
    phases: list[Phase] = []
    spans: list[Span] = []
    for micro_batch in range(MICRO_BATCHES):
        start = len(sizes)
        sizes += [fixed + kept * i / 39 for i in range(40)]
        phases += ["forward"] * 40
        spans.append(Span("forward", micro_batch, start, len(sizes)))
        start = len(sizes)
        sizes += [fixed + kept + loss * (1.0 if i < 3 else 0.1) - kept * i / 39 for i in range(40)]
        phases += ["backward"] * 40
        spans.append(Span("backward", micro_batch, start, len(sizes)))
    start = len(sizes)
    sizes += [fixed + 0.1 * GIB] * 12
    phases += ["optimizer_step"] * 12
    spans.append(Span("optimizer_step", MICRO_BATCHES - 1, start, len(sizes)))
    return [int(size) for size in sizes], phases, spans


def estimate(
    batch_size: int = 1,
    *,
    device: Device | None = None,
    rows: tuple[Layer, ...] | None = None,
) -> Estimate:
    rows = layers(batch_size=batch_size) if rows is None else rows
    device = card() if device is None else device
    by_category = categories(rows)
    allocated = by_category.total_bytes
    on_cuda = device.kind == "cuda"
    reserved = allocated + 885 * MIB if on_cuda else None
    whole = (reserved + 564 * MIB if reserved is not None else allocated) + device.used_bytes
    sizes, _, spans = step_curve()
    spare = None if device.memory_bytes is None else device.memory_bytes - whole
    return Estimate(
        model=model_info(),
        device=device,
        plan=plan(batch_size),
        peak=Peak(
            allocated_bytes=allocated,
            reserved_bytes=reserved,
            device_bytes=whole if on_cuda else None,
            device_low_bytes=whole - 700 * MIB if on_cuda else None,
            device_high_bytes=whole + 1100 * MIB if on_cuda else None,
            phase="backward",
            module="lm_head",
            by_category=by_category,
        ),
        layers=rows,
        timeline=Timeline(
            events=len(sizes),
            event=tuple(range(len(sizes))),
            allocated_bytes=tuple(sizes),
            by_category={},
            phases=tuple(spans),
            peak_event=sizes.index(max(sizes)),
        ),
        fits=None if spare is None else spare >= 0,
        spare_bytes=spare,
        verdict=None if spare is None else "fits" if spare >= 0 else "does_not_fit",
        overhead=(
            OverheadRow(
                name="CUDA context",
                low_bytes=420 * MIB,
                expected_bytes=564 * MIB,
                high_bytes=700 * MIB,
                source="the catalogue",
            ),
        )
        if on_cuda
        else (),
        method="recorded on meta tensors",
        notes=(),
        seconds=0.31,
    )


def detail() -> ModuleDetail:
    name = "model.layers.17.mlp"
    inside = [row for row in layers() if row.name == name or row.name.startswith(name + ".")]
    total = _layer(name, "LlamaMLP", sum(row.parameters for row in inside), 448 * MIB, 15)
    matrix = HIDDEN * INTERMEDIATE * 2
    wide = TOKENS * INTERMEDIATE * 2

    def weight(part: str, shape: tuple[int, int]) -> ParameterInfo:
        return ParameterInfo(
            name=f"{part}.weight", shape=shape, dtype="bfloat16", size_bytes=matrix, trainable=True
        )

    def kept(operation: str, width: int = INTERMEDIATE, size: int = wide) -> KeptTensor:
        return KeptTensor(
            operation=operation, shape=(1, TOKENS, width), dtype="bfloat16", size_bytes=size
        )

    return ModuleDetail(
        name=name,
        type="LlamaMLP",
        alike=32,
        parameters=(
            weight("gate_proj", (INTERMEDIATE, HIDDEN)),
            weight("up_proj", (INTERMEDIATE, HIDDEN)),
            weight("down_proj", (HIDDEN, INTERMEDIATE)),
        ),
        kept=(kept("mm"), kept("silu"), kept("mul"), kept("view", HIDDEN, TOKENS * HIDDEN * 2)),
        input_shapes=((1, TOKENS, HIDDEN),),
        output_shapes=((1, TOKENS, HIDDEN),),
        layer=total,
    )


def figures(scale: float = 1.0) -> RunFigures:
    made = estimate()
    sizes, phases, _ = step_curve()
    parts = made.peak.by_category
    moved = parts.model_copy(
        update={
            "activations": int(parts.activations * scale),
            "temporaries": int(parts.temporaries * (2 - scale) ** 2),
        }
    )
    total = moved.total_bytes
    return RunFigures(
        allocated_bytes=total,
        reserved_bytes=total + int(885 * MIB * scale**8),
        device_bytes=total + 2078 * MIB,
        phase="backward",
        by_category=moved,
        by_phase={
            "forward": int(66.4 * GIB * scale),
            "backward": total,
            "optimizer_step": int(60 * GIB),
        },
        curve_bytes=tuple(sizes),
        curve_phases=tuple(phases),
    )


def run_started(steps: int = 30) -> RunStarted:
    return RunStarted(
        model=model_info(),
        device=card(),
        plan=plan(),
        steps=steps,
        process_id=48213,
        data="generated tokens",
        predicted=figures(),
    )


def run_samples(steps: int, *, points_a_phase: int = 20) -> Iterator[RunSample | RunStep]:
    """Samples of ``steps`` steps, each followed by its step's end."""
    seconds = 4.0
    sizes, phases, spans = step_curve()
    for step in range(1, steps + 1):
        for span in spans:
            for point in range(points_a_phase):
                at = span.start + point * (span.stop - span.start) // points_a_phase
                size = int(sizes[at] * (0.75 if step == 1 and span.micro_batch < 1 else 1.002))
                seconds += 5.1 / (len(spans) * points_a_phase)
                yield RunSample(
                    seconds=seconds,
                    allocated_bytes=size,
                    highest_bytes=size + (80 * MIB if point % 4 == 0 else 0),
                    reserved_bytes=int(74.3 * GIB),
                    device_bytes=int(75.4 * GIB),
                    phase=phases[at],
                    step=step,
                    micro_batch=span.micro_batch,
                )
        yield RunStep(
            seconds=seconds,
            step=step,
            loss=2.45 / (1 + 0.02 * step) + 0.02 * (step % 3),
            step_seconds=5.1,
            peak_bytes=int((61.7 if step == 1 else 73.3) * GIB),
        )


def run_progress() -> tuple[RunProgress, ...]:
    return (
        RunProgress(seconds=0.4, title="Model built", detail="8.03 B parameters, random weights"),
        RunProgress(seconds=4.1, title="Plan applied", detail="AdamW, fused, bf16"),
        RunProgress(seconds=6.0, title="Step 1", detail="Optimizer state made at its end"),
        RunProgress(seconds=11.2, title="Steady since step 2"),
    )


def run_result(steps: int = 30) -> RunResult:
    predicted, measured = figures(), figures(1.015)
    return RunResult(
        outcome="finished",
        sentence=f"{steps} steps ran as planned.",
        model=model_info(),
        device=card(),
        plan=plan(),
        predicted=predicted,
        measured=measured,
        error=(predicted.allocated_bytes - measured.allocated_bytes) / measured.allocated_bytes,
        steps=steps,
        losses=tuple(2.45 / (1 + 0.02 * step) for step in range(1, steps + 1)),
        step_seconds=(5.1,) * steps,
        notes=("Each block keeps its own rotary tables for backward.",),
        seconds=5.1 * steps + 4,
    )


def quality() -> QualityReport:
    """Of a model that was quantized: two layers of many."""
    layers = tuple(
        LayerQuality(
            name=f"model.layers.{number}.mlp.down_proj",
            type="QuantizedLinear",
            output_error=error,
            before_bytes=4 * MIB,
            after_bytes=MIB,
        )
        for number, error in enumerate((0.04, 0.083))
    )
    before = QualityFigures(
        loss=3.19, perplexity=24.35, memory_bytes=513 * MIB, disk_bytes=513 * MIB, per_second=1234.0
    )
    after = QualityFigures(
        loss=3.27, perplexity=26.41, memory_bytes=160 * MIB, disk_bytes=160 * MIB, per_second=None
    )
    return QualityReport(
        data="alice.txt, 4\u2009096 tokens",
        unit="tokens",
        count=4096,
        before=before,
        after=after,
        layers=layers,
        seconds=31.0,
    )


def run_events(steps: int = 3) -> Iterator[RunEvent]:
    """A whole run, from its start to its result."""
    yield run_started(steps)
    yield from run_progress()
    yield from run_samples(steps)
    yield run_result(steps)
