"""A believable step for the timeline: two micro-batches of eight, after a load."""

from __future__ import annotations

import numpy as np

from memplanner.messages.estimate import CATEGORIES, Estimate, Span, Timeline
from memplanner.units import GIB
from memplanner_ui.views.timeline_data import Step, step_of
from tests.ui import sample


def estimate(points: int = 200, *, load: int = 20, unknown_device: bool = False) -> Estimate:
    """Two micro-batches of eight, parts that vary, standing workspaces, a curve reserved."""
    made = sample.estimate(device=sample.card(memory_bytes=None) if unknown_device else None)
    along = np.linspace(0, 1, points)
    wave = np.abs(np.sin(6 * along))
    parts = {
        "parameters": np.full(points, 15 * GIB),
        "gradients": along * 15 * GIB,
        "optimizer_state": np.full(points, 30 * GIB),
        "activations": wave * 9 * GIB,
        "temporaries": (wave > 0.97) * 2 * GIB,
        "workspaces": np.full(points, GIB // 4),
        "buffers": np.full(points, 4096),
        "inputs": along * 8192,
    }
    by_category = {name: parts.get(name, np.zeros(points)).astype(np.int64) for name in CATEGORIES}
    total = np.sum(list(by_category.values()), axis=0)
    peak = int(total.argmax())
    edges = [load + share * points // 8 for share in range(9)]
    names = ("forward", "backward", "forward", "backward", "optimizer_step")
    stops = (edges[2], edges[4], edges[5], edges[7], edges[8])
    starts = (load, *stops[:-1])
    spans = [
        Span(name, place // 2 if name != "optimizer_step" else 0, start, stop)  # type: ignore[arg-type]  # literals above
        for place, (name, start, stop) in enumerate(zip(names, starts, stops, strict=True))
    ]
    before = tuple(range(load))
    return made.model_copy(
        update={
            "timeline": Timeline(
                events=load + points,
                event=(*before, *range(load, load + points)),
                allocated_bytes=(*[GIB] * load, *total.tolist()),
                by_category={
                    name: (*[0] * load, *values.tolist()) for name, values in by_category.items()
                },
                phases=(Span("load", 0, 0, load), *spans),
                peak_event=load + peak,
                reserved_bytes=tuple([75 * GIB] * (load + points)),
            ),
            "peak": made.peak.model_copy(
                update={
                    "allocated_bytes": int(total[peak]),
                    "by_category": made.peak.by_category.model_copy(
                        update={name: int(values[peak]) for name, values in by_category.items()}
                    ),
                }
            ),
        }
    )


def step(points: int = 200) -> Step:
    made = step_of(estimate(points))
    assert made is not None
    return made


def parameters_only() -> Estimate:
    """An estimate whose source holds parameters only: nothing comes after loading."""
    loading = Timeline(
        events=3,
        event=(0, 1, 2),
        allocated_bytes=(1, 2, 3),
        by_category={},
        phases=(Span("load", 0, 0, 3),),
        peak_event=2,
    )
    return estimate().model_copy(update={"timeline": loading})
