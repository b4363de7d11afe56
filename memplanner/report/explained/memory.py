"""How the figures of memory were made: the verdict, the peak, its parts, the host's."""

from __future__ import annotations

from collections import defaultdict

from memplanner.messages.estimate import CATEGORIES, Estimate, Layer
from memplanner.report.explained.explanation import MADE, Explanation, Row, sentence
from memplanner.report.parts import (
    IN_OVERHEAD,
    TITLES,
    around_rows,
    around_the_plan,
    exact,
    lower,
    margin_bytes,
    whole_peak_bytes,
)
from memplanner.report.words import place, verdict
from memplanner.units import format_bytes, format_count, format_difference

WHAT_IT_IS = {
    "parameters": "The model’s parameters, each storage once, in the type that the plan keeps "
    "them in",
    "gradients": "What the parameters’ gradients hold when a backward ends",
    "optimizer_state": "What the optimizer keeps for each trained parameter from step to step",
    "activations": "What outlives the forward that made it, because backward needs it, or is "
    "recomputed in backward",
    "temporaries": "What is made and freed within one phase of the step",
    "workspaces": "What kernels and libraries take for themselves beside tensors",
    "buffers": "The model’s buffers, each storage once",
    "inputs": "The batch",
    "kv_cache": "Keys and values, or a state, kept of earlier tokens",
    "communication": "Gathered parameters, and gradients in buckets that wait to be reduced",
}
COUNTED = "none of its own: storages are counted to the byte. What is uncertain lies around them."
_LARGEST = 5
_OF_PARAMETERS = {
    "parameters": "parameters",
    "gradients": "trainable_parameters",
    "optimizer_state": "trainable_parameters",
}


def recorded(estimate: Estimate) -> str:
    """How the step behind every figure was made, in sentences."""
    plan = estimate.plan
    what = "step" if plan.inference.use == "training" else "round"
    size = f"batch {plan.training.batch_size}"
    if estimate.model.takes_sequence:
        size += f", sequence {plan.training.sequence_length}"
    of_rank = f" of rank {estimate.rank}" if estimate.ranks else ""
    return (
        f"{sentence(estimate.method)} Every storage’s birth and death in one steady {what}"
        f"{of_rank} is known, at {size}; the peak is their highest running sum."
    )


def of_verdict(estimate: Estimate) -> Explanation:
    """Whether the plan fits: from the device’s memory and the margin of the peak."""
    memory, whole = estimate.device.memory_bytes, whole_peak_bytes(estimate)
    rows = []
    if memory is not None:
        rows.append(Row("Memory of the device", format_bytes(memory), exact(memory)))
    margin = margin_bytes(estimate)
    alone = margin is None and estimate.device.kind != "cpu"
    title = "What tensors take at the peak" if alone else "Expected peak"
    rows.append(Row(title, format_bytes(whole), exact(whole)))
    if margin is not None:
        rows.append(Row("Highest likely peak", format_bytes(margin[1]), exact(margin[1])))
    if memory is not None:
        rows.append(Row("Left over by that", format_difference(memory, whole)))
    how = (
        "“Fits” is promised for the highest likely peak; “may not fit” says that only the expected "
        "one does, or only by giving cached memory back; “does not fit”, that the expected one "
        "does not."
    )
    said = verdict(estimate)
    if memory is not None and estimate.verdict is None:
        said = "not known before the allocator is replayed"
    fails = () if estimate.allocator is None else estimate.allocator.fails
    sources = tuple(note for note in estimate.notes if fails and note.startswith("A run would end"))
    return Explanation(
        "Verdict", said, how, tuple(rows), _margin(estimate), sources,
        f"{MADE}#8-what-a-card-shows",
    )  # fmt: skip


def of_peak(estimate: Estimate) -> Explanation:
    """What the device holds at the highest moment, part by part; the rows add up to it."""
    peak, whole = estimate.peak, whole_peak_bytes(estimate)
    rows = [Row("Tensors", format_bytes(peak.allocated_bytes), exact(peak.allocated_bytes))]
    rows += [
        Row(around.title, format_bytes(around.size_bytes), around.explanation)
        for around in around_rows(estimate)
        if around.size_bytes
    ]
    how = recorded(estimate)
    if peak.reserved_bytes is not None:
        how += (
            " What torch’s allocator reserves for it was replayed from the process’s start; "
            "beside it stands what the device holds for the driver and for other programs."
        )
    return Explanation(
        f"Peak on {estimate.device.name}, in {lower(place(estimate))}",
        format_bytes(whole),
        how,
        tuple(rows),
        _margin(estimate),
        _sources(estimate),
        f"{MADE}#7-the-peak",
    )


def of_category(estimate: Estimate, name: str) -> Explanation:
    """One of the engine’s categories at the peak, by the kinds of modules that hold it."""
    size_bytes = getattr(estimate.peak.by_category, name)
    rows = by_type(estimate.layers, name)
    counted = _OF_PARAMETERS.get(name)
    count = sum(getattr(layer, counted) for layer in estimate.layers) if counted else 0
    if counted and count and size_bytes:
        kind = "parameter" if counted == "parameters" else "trained parameter"
        note = f"{format_count(count)} of them, on average"
        rows.append(Row(f"For each {kind}", f"{size_bytes / count:.2f} B", note))
    how = f"{WHAT_IT_IS[name]}. Counted in the recorded step, in {lower(place(estimate))}."
    sources = ("this CPU’s kernels, run with these shapes; of a card torch’s own sources",)
    return Explanation(
        f"{TITLES[name]} at the peak",
        format_bytes(size_bytes),
        how,
        tuple(rows),
        COUNTED,
        sources if name == "workspaces" else (sentence(estimate.method),),
        f"{MADE}#4-categories",
    )


def by_type(layers: tuple[Layer, ...], name: str) -> list[Row]:
    """Bytes of a category by the type of module, the largest first; they add up to it."""
    sizes: dict[str, int] = defaultdict(int)
    modules: dict[str, int] = defaultdict(int)
    for layer in layers:
        held = getattr(layer, f"{name}_bytes")
        if held:
            sizes[layer.type] += held
            modules[layer.type] += 1
    largest = sorted(sizes, key=lambda kind: -sizes[kind])
    rows = [
        Row(f"{kind}, {format_count(modules[kind])}×", format_bytes(sizes[kind]))
        for kind in largest[:_LARGEST]
    ]
    rest = sum(sizes[kind] for kind in largest[_LARGEST:])
    if rest:
        rows.append(Row("in other modules", format_bytes(rest)))
    return rows


def of_overhead(estimate: Estimate) -> Explanation:
    """What has no colour of its own: workspaces, buffers, inputs, and what lies around."""
    rows = []
    total = 0
    for name in IN_OVERHEAD:
        size_bytes = getattr(estimate.peak.by_category, name)
        total += size_bytes
        if size_bytes:
            rows.append(Row(TITLES[name], format_bytes(size_bytes), WHAT_IT_IS[name]))
    rows += [
        Row(around.title, format_bytes(around.size_bytes), around.explanation)
        for around in around_rows(estimate)
        if not around.other and around.size_bytes
    ]
    total += around_the_plan(estimate)[0]
    how = (
        "What the device holds beside parameters, gradients, states, activations and temporaries. "
        "The allocator’s share is replayed from the recorded step; the rest is measured or from "
        "what others published, as each row says."
    )
    return Explanation(
        "Overhead at the peak", format_bytes(total), how, tuple(rows), _margin(estimate),
        _sources(estimate), f"{MADE}#8-what-a-card-shows",
    )  # fmt: skip


def of_other(estimate: Estimate) -> Explanation:
    """What other programs hold."""
    used, on_cpu = estimate.device.used_bytes, estimate.device.kind == "cpu"
    reader = "the operating system" if on_cpu else "the device’s driver"
    return Explanation(
        f"Other programs on {estimate.device.name}",
        format_bytes(used),
        f"Read from {reader} when devices were last looked at, and counted as if it stayed so. "
        "Of a card that is not in this machine it is nothing.",
        margin="none: it is what is held now, not what will be.",
        page=f"{MADE}#8-what-a-card-shows",
    )


def of_free(estimate: Estimate) -> Explanation:
    """What nothing takes at the peak."""
    memory, whole = estimate.device.memory_bytes or 0, whole_peak_bytes(estimate)
    free = max(0, memory - whole)
    rows = (
        Row("Memory of the device", format_bytes(memory), exact(memory)),
        Row("Expected peak", format_bytes(whole), exact(whole)),
    )
    return Explanation(
        "Free at the peak", format_bytes(free), "The device’s memory less the expected peak.",
        rows, _margin(estimate), (), f"{MADE}#8-what-a-card-shows",
    )  # fmt: skip


def of_host(estimate: Estimate) -> Explanation:
    """What the plan puts into the host’s memory."""
    size_bytes = estimate.host_bytes or 0
    return Explanation(
        "In the host’s memory",
        format_bytes(size_bytes),
        "The most that the plan keeps in the host’s memory at one moment: what is offloaded, "
        f"counted in the recorded step. {recorded(estimate)}",
        margin=COUNTED,
        page="techniques.md#offload",
    )


def _margin(estimate: Estimate) -> str:
    """Low, expected and high, and what their distance is made of."""
    margin, peak = margin_bytes(estimate), estimate.peak
    whole = whole_peak_bytes(estimate)
    if margin is None or peak.device_low_bytes is None or peak.device_high_bytes is None:
        if estimate.device.kind == "cpu":
            return "none: what is told is what tensors take, counted to the byte."
        return "not known: this is what tensors take; what the device holds around it is not in it."
    words = (
        f"{format_bytes(margin[0])} low, {format_bytes(whole)} expected, "
        f"{format_bytes(margin[1])} high."
    )
    beside = sum(row.high_bytes - row.low_bytes for row in estimate.overhead)
    width = peak.device_high_bytes - peak.device_low_bytes
    parts = [("the allocator and its kernels", width - beside)]
    parts += [(row.name, row.high_bytes - row.low_bytes) for row in estimate.overhead]
    said = [f"{name} {format_bytes(size)}" for name, size in parts if size > 0]
    if said:
        words += f" Of the width: {', '.join(said)}."
    if peak.calibrated_bytes is not None:
        words += f" Runs on this very card correct it to {format_bytes(peak.calibrated_bytes)}."
    return words


def _sources(estimate: Estimate) -> tuple[str, ...]:
    sources = []
    replayed = estimate.allocator
    if replayed is not None:
        sources.append(
            f"torch’s caching allocator, replayed over {replayed.steps} steps: "
            f"{format_count(replayed.segments)} segments, "
            f"{100 * replayed.fragmentation:.1f} % of what is reserved not allocated"
        )
    sources += [f"{row.name}: {row.source}" for row in estimate.overhead]
    return tuple(sources)


def categories_held(estimate: Estimate) -> tuple[str, ...]:
    """The engine’s categories that the peak has anything of, in their order."""
    held = estimate.peak.by_category
    return tuple(name for name in CATEGORIES if getattr(held, name))
