"""What the section ``pruning`` cannot do: with itself, or beside another section."""

from __future__ import annotations

from collections.abc import Iterator

from memplanner.plan import Plan
from memplanner.plan.pruning import Pruning as Section


def pruning_conflicts(plan: Plan) -> Iterator[str]:
    """The reasons why the plan's pruning cannot be carried out, each with the nearest choice."""
    section = plan.pruning
    if section.structure == "none":
        return
    yield from _misplaced(section)
    if section.structure == "structured":
        yield from _structured_conflicts(section)
        return
    yield from _zeros_conflicts(section)
    yield from _choice_conflicts(section)
    yield from _schedule_conflicts(plan)
    yield from _storage_conflicts(plan)


def by_threshold(section: Section) -> bool:
    """Whether a threshold says which weights go."""
    return section.structure == "unstructured" and section.select == "threshold"


def _structured_conflicts(section: Section) -> Iterator[str]:
    if section.method == "sparsegpt":
        yield (
            "pruning.method=sparsegpt chooses single weights, not widths or heads; choose taylor, "
            "wanda or magnitude, or pruning.structure=unstructured."
        )
    ratios = section.mlp_ratio, section.head_ratio, section.block_ratio, section.channel_ratio
    if not any(ratios):
        yield (
            "pruning.structure=structured takes nothing away with every ratio 0; set "
            "pruning.mlp_ratio, head_ratio or block_ratio, or choose pruning.structure=none."
        )
    if section.channel_ratio and section.block_ratio:
        yield (
            "pruning.channel_ratio and block_ratio together would count channels in blocks that "
            "go; set one of them to 0."
        )
    if section.channel_ratio and section.method == "wanda":
        yield (
            "pruning.method=wanda has no scores for channels of convolutions; choose magnitude, "
            "taylor or fisher, or set pruning.channel_ratio to 0."
        )


def _zeros_conflicts(section: Section) -> Iterator[str]:
    if section.structure == "n_m" and section.n >= section.m:
        yield (
            f"pruning.n={section.n} of pruning.m={section.m} takes nothing away; choose n below m."
        )
    if section.structure == "unstructured" and section.scope == "global":
        if section.method in ("wanda", "sparsegpt"):
            yield (
                f"pruning.method={section.method} compares weights inside a layer, so "
                "pruning.scope=global has no meaning for it; choose per_layer, or magnitude."
            )
        if section.kept_as == "packed":
            yield (
                "pruning.scope=global leaves each layer as much as its values decide, so packed "
                "sizes cannot be planned; choose pruning.scope=per_layer or pruning.kept_as=zeros."
            )


def _misplaced(section: Section) -> Iterator[str]:
    """What only single weights can have."""
    if section.structure == "unstructured":
        return
    if section.select == "threshold":
        yield (
            f"pruning.select=threshold leaves as much as values decide, so what "
            f"pruning.structure={section.structure} leaves cannot be planned with it; choose "
            "pruning.select=ratio or pruning.structure=unstructured."
        )
    if section.per_layer:
        yield (
            f"pruning.per_layer gives layers ratios, which pruning.structure={section.structure} "
            "does not have; leave it empty or choose pruning.structure=unstructured."
        )
    if section.structure == "structured" and section.schedule != "once":
        yield (
            f"pruning.schedule={section.schedule} needs zeros that may move; choose "
            "pruning.schedule=once or pruning.structure=unstructured."
        )


def _choice_conflicts(section: Section) -> Iterator[str]:
    """Of thresholds and ratios by layer."""
    together = section.structure == "unstructured" and section.scope == "global"
    if together and section.per_layer:
        yield (
            "pruning.scope=global compares all layers, so none has the ratio of "
            "pruning.per_layer; choose pruning.scope=per_layer."
        )
    if not by_threshold(section):
        return
    if section.method != "magnitude":
        yield (
            f"pruning.select=threshold compares sizes of weights, not scores of "
            f"{section.method}; choose pruning.method=magnitude or pruning.select=ratio."
        )
    if section.kept_as == "packed":
        yield (
            "pruning.select=threshold leaves each layer as much as its values decide, so packed "
            "sizes cannot be planned; choose pruning.select=ratio or pruning.kept_as=zeros."
        )
    if together:
        yield (
            "pruning.scope=global has no meaning for a threshold, which is the same whatever it "
            "is compared with; choose pruning.scope=per_layer."
        )
    if section.per_layer:
        yield (
            "pruning.per_layer gives ratios, which pruning.select=threshold does not have; choose "
            "pruning.select=ratio or leave it empty."
        )


def _schedule_conflicts(plan: Plan) -> Iterator[str]:
    section = plan.pruning
    if not section.is_gradual:
        return
    chosen = f"pruning.schedule={section.schedule}"
    if section.last_step <= section.first_step and section.schedule == "polynomial":
        yield (
            f"{chosen} has no steps between pruning.first_step={section.first_step} and "
            f"last_step={section.last_step}; choose a last_step beyond first_step."
        )
    elif section.last_step < section.first_step:
        yield (
            f"{chosen} ends with pruning.last_step={section.last_step} before "
            f"first_step={section.first_step}; choose a last_step beyond it."
        )
    if section.kept_as == "packed":
        yield (
            f"{chosen} changes which weights are zero, and packed storage has room for those that "
            "stay only; choose pruning.kept_as=masks or zeros."
        )
    if section.method != "magnitude":
        yield (
            f"{chosen} chooses by the weights as training leaves them, not by scores of "
            f"{section.method}; choose pruning.method=magnitude or pruning.schedule=once."
        )
    if by_threshold(section):
        yield (
            f"{chosen} needs a ratio to reach; choose pruning.select=ratio or "
            "pruning.schedule=once."
        )
    if section.structure == "n_m" and section.schedule == "polynomial":
        yield (
            "pruning.schedule=polynomial needs a ratio that grows, and N of M is one ratio; choose "
            "pruning.schedule=constant or pruning.structure=unstructured."
        )
    if plan.quantization.method != "none":
        yield (
            f"{chosen} changes weights while training, and quantization.method="
            f"{plan.quantization.method} keeps them in few bits; choose pruning.schedule=once or "
            "quantization.method=none."
        )


def _storage_conflicts(plan: Plan) -> Iterator[str]:
    section = plan.pruning
    quantized = plan.quantization.method != "none"
    if quantized and section.kept_as != "zeros":
        yield (
            f"pruning.kept_as={section.kept_as} and quantization.method="
            f"{plan.quantization.method} each store the same weights their own way; choose "
            "pruning.kept_as=zeros or quantization.method=none."
        )
    trained = plan.inference.use == "training" and plan.adapters.method == "none"
    if section.kept_as == "packed" and trained:
        yield (
            "pruning.kept_as=packed freezes the weights it packs, so they cannot be fine-tuned in "
            "full; choose adapters.method=lora or pruning.kept_as=masks."
        )
