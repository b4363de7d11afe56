"""The runs of the small engine of the window's tests: nothing is run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from fake_figures import CPU, GIB, categories, model_info  # beside this file, which is a script's

from memplanner.messages import protocol
from memplanner.messages.device import Device
from memplanner.messages.intention import RunIntention
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


def figures_of(plan: Plan) -> RunFigures:
    parts = categories(plan)
    return RunFigures(
        allocated_bytes=parts.total_bytes,
        phase="backward",
        by_category=parts,
        by_phase={"forward": parts.total_bytes // 2, "backward": parts.total_bytes},
        curve_bytes=(parts.total_bytes // 2, parts.total_bytes, parts.total_bytes // 2),
        curve_phases=("forward", "backward", "optimizer_step"),
    )


def run_of(
    request: protocol.ApplyPlan, source: str, stop: threading.Event
) -> Iterator[protocol.Reply]:
    """The replies to ``request``: a sample each hundredth of a second, until ``stop``."""
    stop.clear()
    parts = categories(request.plan)
    figures = figures_of(request.plan)

    def run(event: RunEvent) -> protocol.Run:
        return protocol.Run(id=request.id, event=event)

    yield run(
        RunStarted(
            model=model_info(source),
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
        if stop.is_set():
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
            model=model_info(source),
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


def described(
    request: protocol.DescribeRun, source: str, device: Device
) -> protocol.RunDescribed | protocol.Failure:
    """What such a run would do; a text that is not there is refused."""
    if request.data is not None and not Path(request.data).exists():
        sentence = f"{request.data} is not there; choose another text."
        return protocol.Failure(id=request.id, error="RunError", sentence=sentence)
    return protocol.RunDescribed(
        id=request.id,
        intention=RunIntention(
            device=device,
            plan=request.plan,
            steps=request.steps,
            processes=1,
            predicted=figures_of(request.plan),
            limit_bytes=12 * GIB,
            low_seconds=None,
            high_seconds=None,
            reads=(source,),
            writes=(),
            sentences=(
                f"Runs {request.steps} steps of {source} on {device.name}, in a process.",
                "Adds what it measures to the history.",
            ),
        ),
    )
