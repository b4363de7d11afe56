"""An estimate in sentences: whether it fits, where its peak is, how long a step takes."""

from __future__ import annotations

from memplanner.messages.cost import StepTime
from memplanner.messages.estimate import Estimate
from memplanner.report.parts import PHASES, distance, margin_bytes, whole_peak_bytes
from memplanner.units import MINUS, format_bytes, format_count


def verdict(estimate: Estimate) -> str:
    """``Fits, 4.3 GiB to spare``: from the two numbers that are shown beside it."""
    memory, whole = estimate.device.memory_bytes, whole_peak_bytes(estimate)
    if memory is None or estimate.verdict is None:
        return f"Peak {format_bytes(whole)}, memory of {estimate.device.name} not known"
    if estimate.verdict == "does_not_fit":
        return f"Does not fit: {distance(whole, memory)} missing"
    if estimate.verdict == "at_risk":
        margin = margin_bytes(estimate)
        if margin is None:
            return "May not fit: what the device holds is not known"
        if margin[1] <= memory:
            return "May not fit: only by giving cached memory back"
        return f"May not fit: {distance(margin[1], memory)} over at the high end"
    spare = distance(memory, whole)
    return "Fits, nothing to spare" if spare == "–" else f"Fits, {spare} to spare"


def peak(estimate: Estimate) -> str:
    """``Peak 75.3 GiB of 79.6 GiB, likely 74.6 to 76.4 GiB``."""
    memory, whole = estimate.device.memory_bytes, whole_peak_bytes(estimate)
    words = f"Peak {format_bytes(whole)}"
    if memory is not None:
        words += f" of {format_bytes(memory)}"
    margin = margin_bytes(estimate)
    if margin is not None:
        low, high = map(format_bytes, margin)
        unit = high.split(" ")[-1]
        words += f", likely {low.removesuffix(f' {unit}')} to {high}"
    return words


def place(estimate: Estimate) -> str:
    """Where the peak is: ``Backward of lm_head``."""
    phase, module = PHASES[estimate.peak.phase], estimate.peak.module
    return f"{phase} of {module}" if module else phase


def seconds(time: float) -> str:
    """``5.3 s``, ``84 ms``: about three figures."""
    if time >= 1:
        return f"{time:.0f} s" if time >= 100 else f"{time:.1f} s"
    return f"{time * 1000:.0f} ms" if time >= 0.01 else f"{time * 1000:.1f} ms"


def step(time: StepTime) -> str:
    """``5.3 s, likely 4.7 s to 6.0 s; 6 159 tokens a second``."""
    rate = f"{time.per_second:.2g}"
    if time.per_second >= 10:
        rate = format_count(round(time.per_second))
    likely = f"{seconds(time.low_seconds)} to {seconds(time.high_seconds)}"
    return f"{seconds(time.seconds)}, likely {likely}; {rate} {time.unit} a second"


def slower(after: StepTime, before: StepTime) -> str:
    """How much longer a token (or sample) takes, signed: ``−32 %``; empty where not comparable."""
    if after.unit != before.unit or not before.units or not after.units or not before.seconds:
        return ""
    share = (after.seconds / after.units) / (before.seconds / before.units) - 1
    whole = round(100 * share)
    return "same" if whole == 0 else f"{MINUS if whole < 0 else '+'}{abs(whole)} %"
