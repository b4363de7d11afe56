"""What the small engine of the window's tests says of a model: made up, and quick."""

from __future__ import annotations

from memplanner.messages.device import Device
from memplanner.messages.estimate import (
    Categories,
    Estimate,
    Layer,
    ModelInfo,
    Peak,
    RankFigures,
    Span,
    Timeline,
    Traffic,
)
from memplanner.plan import Plan

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
