"""The report: one HTML file that needs nothing else, and the layer table as CSV."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from memplanner.messages.estimate import Estimate
from memplanner.messages.run import RunResult
from memplanner.report import charts, differences, words
from memplanner.report.alignment import aligned
from memplanner.report.differences import Compared
from memplanner.report.layers import columns, layer_table
from memplanner.report.measured import measured_rows
from memplanner.report.parts import (
    PARTS,
    SHORT_TITLES,
    TITLES,
    around_rows,
    budget,
    whole_peak_bytes,
)
from memplanner.report.settings import changed
from memplanner.units import (
    format_bytes,
    format_count,
    format_parameters,
)

_MOST_DIFFERENCES = 40
"""Modules in the comparison's table; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a report is made of. The same one gives the same text."""

    estimate: Estimate
    versions: Mapping[str, str]
    """By program or library, in the order they are listed."""
    date: str
    """As it is printed; the only thing that differs between two reports of the same."""
    name: str = "This plan"
    """Of the plan, beside those that it is compared with."""
    others: tuple[Compared, ...] = ()
    run: RunResult | None = None


def html(report: Report) -> str:
    """The report as one HTML file; every name in it is escaped."""
    return _rendered(report, for_paper=False, pictures=None)


def paper(report: Report, pictures: list[str]) -> str:
    """The report in the little HTML that a text document prints; always light.

    Its pictures are put into ``pictures`` as SVG, and ``[picture:0]``, ``[picture:1]``, … alone in
    a paragraph stands for each.
    """
    return _rendered(report, for_paper=True, pictures=pictures)


def _rendered(report: Report, *, for_paper: bool, pictures: list[str] | None) -> str:
    light, dark = _colors("light"), _colors("dark")

    def picture(svg: str) -> str:
        if not svg or pictures is None:
            return Markup(svg)  # noqa: S704  (made by charts, which escapes every name)
        pictures.append(svg)
        return f"[picture:{len(pictures) - 1}]"

    estimate = report.estimate
    return _template().render(
        paper=for_paper,
        light=light,
        dark=dark,
        inks=sorted(light),
        report=report,
        estimate=estimate,
        verdict=words.verdict(estimate),
        mark=_mark(estimate),
        peak=words.peak(estimate),
        place=words.place(estimate),
        step="" if estimate.time is None else words.step(estimate.time),
        facts=_facts(estimate),
        settings=changed(estimate.plan),
        bar=picture(charts.bar(estimate, light)),
        parts=_parts(estimate),
        timeline=picture(charts.timeline(estimate, light)),
        compared=_compared(report, light, picture),
        letter=differences.letter,
        size=differences.size_words,
        words=words,
        run=report.run,
        measured=() if report.run is None else measured_rows(report.run),
        layers=layer_table(estimate.layers),
        columns=columns(estimate.layers),
        sums=estimate.peak.by_category.model_dump(),
        titles=TITLES,
        short=SHORT_TITLES,
        bytes=_unbroken if for_paper else format_bytes,
        around=_around(estimate),
        time_parts=_time_parts(estimate),
    )


def _compared(
    report: Report, colors: Mapping[str, str], picture: Callable[[str], str]
) -> dict[str, Any] | None:
    """What the template reads of the plans side by side; None where there is one."""
    if not report.others:
        return None
    plans = (Compared(report.name, report.estimate), *report.others)
    steps = aligned([one.estimate for one in plans])
    modules = differences.by_layer(plans)
    return {
        "plans": plans,
        "overlay": picture(charts.overlay(steps, colors, report.estimate.device.memory_bytes)),
        "caption": steps.caption,
        "categories": differences.by_category(plans),
        "times": differences.step_times(plans),
        "settings": differences.settings(plans),
        "modules": modules[:_MOST_DIFFERENCES],
        "more_modules": len(modules) - _MOST_DIFFERENCES,
    }


def _unbroken(size_bytes: int) -> str:
    """A size that no line ends in, for documents whose cells cannot be told so."""
    return format_bytes(size_bytes).replace(" ", "\N{NO-BREAK SPACE}")


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    folder = files("memplanner.resources").joinpath("templates")
    return environment.from_string(folder.joinpath("report.html.j2").read_text("utf-8"))


@cache
def _colors(scheme: str) -> Mapping[str, str]:
    """The scheme's colours by name; ``on_NAME`` is the text on a category."""
    folder = files("memplanner.resources").joinpath("style")
    tokens = json.loads(folder.joinpath(f"{scheme}.json").read_text("utf-8"))
    colors = {**tokens["surfaces"], **tokens["inks"]}
    for name, one in tokens["categories"].items():
        colors[name], colors[f"on_{name}"] = one["fill"], one["text"]
    return colors


def _mark(estimate: Estimate) -> str:
    return {"fits": "fits", "at_risk": "caution", "does_not_fit": "trouble"}.get(
        estimate.verdict or "", "text2"
    )


def _facts(estimate: Estimate) -> list[tuple[str, str]]:
    model, device = estimate.model, estimate.device
    memory = "not known" if device.memory_bytes is None else format_bytes(device.memory_bytes)
    facts = [
        ("Model", model.name),
        ("Class", model.class_name),
        ("Source", model.source),
        ("Parameters", format_parameters(model.parameters)),
        ("Trained", format_parameters(model.trainable_parameters)),
        ("Device", device.name),
        ("Its memory", memory),
    ]
    if device.used_bytes:
        facts.append(("Held by other programs", format_bytes(device.used_bytes)))
    if estimate.plan.sharding.ranks > 1:
        ranks = format_count(estimate.plan.sharding.ranks)
        facts.append(("Cards", f"{ranks}; the figures are of rank {estimate.rank}"))
    if estimate.host_bytes:
        facts.append(("In host memory", format_bytes(estimate.host_bytes)))
    return facts


def _parts(estimate: Estimate) -> list[tuple[str, str, str]]:
    """Colour, title and size of each part of the peak; the sum last, without a colour."""
    made = budget(estimate)
    rows = [
        (name, TITLES[name], format_bytes(size))
        for name, size in zip(PARTS, made.parts, strict=True)
        if size
    ]
    return [*rows, ("", "Peak", format_bytes(made.peak_bytes))]


def _around(estimate: Estimate) -> list[tuple[str, str, str]]:
    """From what is allocated to what the device shows: title, size, and where it is from."""
    rows = [("Allocated by the plan", format_bytes(estimate.peak.allocated_bytes), "the recording")]
    rows += [
        (row.title, format_bytes(row.size_bytes), row.explanation)
        for row in around_rows(estimate)
        if row.size_bytes
    ]
    return [*rows, ("Whole device", format_bytes(whole_peak_bytes(estimate)), "their sum")]


def _time_parts(estimate: Estimate) -> list[tuple[str, str]]:
    if estimate.time is None:
        return []
    return [
        (part.name.replace("_", " ").capitalize(), words.seconds(part.seconds))
        for part in estimate.time.parts
        if part.seconds
    ]
