"""What a found plan is in words: its verdict, its changes, its cost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from memplanner.messages.cost import QualityRisk, StepTime
from memplanner.messages.search import FoundPlan, PlanChange, SearchState, SmallestChange
from memplanner.plan import Plan
from memplanner.report.price import energy_of_million, price_of_million
from memplanner.units import MINUS, NOTHING, format_bytes, format_count, format_difference
from memplanner_ui.language import plural, summary_of_plan, translatable, translate
from memplanner_ui.plan_panel.form import OptionForm, SectionForm, sections_of
from memplanner_ui.views.ranks_panel import seconds_words

RISK_TITLES: Mapping[QualityRisk, str] = {
    "same_result": translatable("Views", "Same result"),
    "small_change": translatable("Views", "Small change"),
    "check_quality": translatable("Views", "Check quality"),
}
RISK_TIPS: Mapping[QualityRisk, str] = {
    "same_result": translatable(
        "Views", "The same gradients as this plan’s, but for rounding in another order."
    ),
    "small_change": translatable(
        "Views", "Other rounding, or an optimizer that keeps its state in fewer bits."
    ),
    "check_quality": translatable(
        "Views", "Another model, or fewer trained parameters: judge it on your own task."
    ),
}
THIS_PLAN = translatable("Views", "this plan")


def risk_title(risk: QualityRisk) -> str:
    """What a quality risk is called."""
    return translate("Views", RISK_TITLES[risk])


def risk_tip(risk: QualityRisk) -> str:
    """What a quality risk means."""
    return translate("Views", RISK_TIPS[risk])


class Headline(NamedTuple):
    """A verdict: the icon, its colour, and the sentence."""

    icon: str
    ink: str
    text: str


class ChangeWords(NamedTuple):
    """An option that a found plan changes: ``Optimizer``, ``8 bits``."""

    section: str
    option: str
    before: str
    after: str


def tags(found: FoundPlan) -> tuple[str, ...]:
    """The changes in short words, each once."""
    words = (summary_of_plan(change.words) or change.key for change in found.changes)
    return tuple(dict.fromkeys(words))


def said(found: FoundPlan) -> str:
    """The changes in one line: ``every block, loss in 8 chunks``."""
    return ", ".join(tags(found)) or translate("Views", THIS_PLAN)


def headline(found: FoundPlan, whole_bytes: int) -> Headline:
    """Whether a plan fits, and by how much; ``whole_bytes`` is what the card holds at the peak."""
    if found.verdict == "fits":
        return Headline("fits", "fits", _fits(found, whole_bytes))
    if found.verdict == "at_risk":
        over = _over_bytes(found)
        text = translate("Views", "May not fit")
        if over > 0:
            text = translate("Views", "May not fit: {size} over at the high end").format(
                size=format_bytes(over)
            )
        return Headline("may_not_fit", "caution", text)
    on_host = found.host_spare_bytes
    if found.verdict == "does_not_fit" and on_host is not None and on_host < 0:
        text = translate("Views", "Too large for the host: {size} missing").format(
            size=format_bytes(-on_host)
        )
        return Headline("trouble", "trouble", text)
    if found.verdict == "does_not_fit":
        text = translate("Views", "Does not fit")
        if found.spare_bytes is not None:
            text = translate("Views", "Does not fit: {size} missing").format(
                size=spare_words(found, whole_bytes).removeprefix(MINUS)
            )
        return Headline("trouble", "trouble", text)
    return Headline("unknown", "text2", translate("Views", "Not known whether it fits"))


def _fits(found: FoundPlan, whole_bytes: int) -> str:
    if not found.spare_bytes:
        return translate("Views", "Fits, nothing to spare")
    return translate("Views", "Fits, {size} to spare").format(size=spare_words(found, whole_bytes))


def _over_bytes(found: FoundPlan) -> int:
    """By how much the most that the card may hold is over it; 0 where it is not known to be."""
    expected, most, spare = found.device_bytes, found.device_high_bytes, found.spare_bytes
    if expected is None or most is None or spare is None:
        return 0
    return max(0, most - expected - spare)


def peak_words(whole_bytes: int, *, whole: bool) -> str:
    """What a card holds at the peak; ``≥`` where only a part of it is known."""
    text = format_bytes(whole_bytes)
    return text if whole else f"≥ {text}"


def spare_words(found: FoundPlan, whole_bytes: int) -> str:
    """What is left over, with a minus what is missing: the difference of the sizes shown."""
    if found.spare_bytes is None:
        return NOTHING
    return format_difference(whole_bytes + found.spare_bytes, whole_bytes).removeprefix("+")


def time_words(found: FoundPlan) -> str:
    """A step's time: ``5.3 s``."""
    return NOTHING if found.time is None else seconds_words(found.time.seconds)


def beside_words(found: FoundPlan, per_hour: float | None) -> list[str]:
    """What a plan takes beside a card's memory and time: of the host, in money and energy."""
    told = []
    if found.host_bytes:
        told.append(
            translate("Views", "{host} of the host’s memory").format(
                host=format_bytes(found.host_bytes)
            )
        )
    if found.time is not None and (cost := _cost_words(found.time, found.cards, per_hour)):
        told.append(cost)
    return told


def _cost_words(time: StepTime, cards: int, per_hour: float | None) -> str:
    """Such as ``A million tokens: price 0.42, 1.2 kWh``; empty where neither is known."""
    energy, parts = energy_of_million(time), []
    if per_hour is not None:
        price = price_of_million(time, cards, per_hour)
        parts.append(translate("Views", "price {price}").format(price=f"{price:.3g}"))
    if energy is not None:
        parts.append(f"{energy:.3g} kWh")
    if not parts:
        return ""
    words = translate("Views", "A million samples: {costs}")
    if time.unit == "tokens":
        words = translate("Views", "A million tokens: {costs}")
    return words.format(costs=", ".join(parts))


def share_words(share: float | None) -> str:
    """A share as signed whole per cent: ``−32 %``; a dash where it is not known."""
    if share is None:
        return NOTHING
    per_cent = round(100 * share)
    sign = MINUS if per_cent < 0 else "+" if per_cent > 0 else ""
    return f"{sign}{abs(per_cent)} %"


def effect_words(whole_bytes: int, before_bytes: int | None, share: float | None) -> str:
    """``−9.9 GiB, +12 % time``; the time is left out where it is not known."""
    parts = []
    if before_bytes is not None and whole_bytes != before_bytes:
        parts.append(format_difference(whole_bytes, before_bytes))
    if share is not None:
        parts.append(
            translate("Views", "same time")
            if round(100 * share) == 0
            else translate("Views", "{share} time").format(share=share_words(share))
        )
    return ", ".join(parts) or translate("Views", "same memory")


def spoken(text: str) -> str:
    """Signs and units as assistive software reads them."""
    for sign, said in (
        (MINUS, translate("Views", "minus ")),
        ("+", translate("Views", "plus ")),
        (" %", translate("Views", " percent")),
        ("GiB", translate("Views", "gibibytes")),
        ("MiB", translate("Views", "mebibytes")),
    ):
        text = text.replace(sign, said)
    return text


def state_words(state: SearchState, *, running: bool) -> str:
    """How far a search is: ``288 plans tried in 0.2 s, 160 fit``."""
    seconds = seconds_words(state.seconds)
    many = format_count(state.tried)
    if running or not state.complete:
        many = translate("Views", "{tried} of {possible}").format(
            tried=many, possible=format_count(state.possible)
        )
    fit = plural("Views", "{count} fit", "{count} fits", state.fitting).format(
        count=format_count(state.fitting)
    )
    words = translate("Views", "{many} plans tried in {time}, {fit}")
    if not running and not state.complete:
        words = translate("Views", "{many} plans tried in {time}, {fit}; stopped")
    return words.format(many=many, time=seconds, fit=fit)


def smallest_words(change: SmallestChange) -> str:
    """What the change leaves over, and its risk where it has one: ``5.8 GiB to spare``."""
    found = change.found
    whole_bytes = found.allocated_bytes if found.device_bytes is None else found.device_bytes
    parts = [headline(found, whole_bytes).text]
    if found.verdict == "fits":
        parts = [translate("Views", "nothing to spare")]
        if found.spare_bytes:
            spare = spare_words(found, whole_bytes)
            parts = [translate("Views", "{size} to spare").format(size=spare)]
    if found.quality.risk != "same_result":
        parts.append(risk_title(found.quality.risk).lower())
    return ", ".join(parts)


@cache
def _sections(plan: type[Plan]) -> Mapping[str, SectionForm]:
    return {section.name: section for section in sections_of(plan)}


@cache
def option_of(key: str, plan: type[Plan] = Plan) -> tuple[SectionForm, OptionForm]:
    """The section and the option of a key. Raises ``KeyError`` for one that no plan has."""
    section = _sections(plan)[key.partition(".")[0]]
    for option in section.options:
        if option.key == key:
            return section, option
    raise KeyError(key)


def change_words(change: PlanChange) -> ChangeWords:
    """A change with the titles of its section and option, and both values in words."""
    section, option = option_of(change.key)
    return ChangeWords(
        section.title, option.title, option.words(change.before), option.words(change.after)
    )
