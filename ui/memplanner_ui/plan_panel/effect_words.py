"""An effect that the engine has told, in the words of a badge."""

from __future__ import annotations

from memplanner.messages.effects import OptionEffect
from memplanner.messages.estimate import Verdict
from memplanner.plan import Plan
from memplanner.units import format_bytes, format_difference
from memplanner_ui import step_words
from memplanner_ui.language import translatable, translate
from memplanner_ui.plan_panel.badge import Effect, Tone
from memplanner_ui.plan_panel.form import sections_of

_ELSEWHERE = {
    "gpu": translatable("Plan panel", "GPU only"),
    "newer_gpu": translatable("Plan panel", "newer GPU only"),
    "cpu": translatable("Plan panel", "CPU only"),
}
_SAME = {
    "same_peak": translatable("Plan panel", "same peak"),
    "same": translatable("Plan panel", "same memory"),
    "numerics_only": translatable("Plan panel", "numerics only"),
}
_SAME_TIPS = {
    "same_peak": translatable(
        "Plan panel", "The peak stays as it is; other phases of the step take more or less."
    ),
    "same": translatable("Plan panel", "No phase of the step takes more or less."),
    "numerics_only": translatable(
        "Plan panel", "Numerics only: no phase of the step takes more or less."
    ),
}


def shown(effect: OptionEffect, verdict: Verdict | None, plan: type[Plan], at: str = "") -> Effect:
    """The effect as it is shown beside its option; ``verdict`` is of the plan as it is.

    ``at`` is the value in words, where the row does not say it.
    """
    if effect.kind == "refused":
        return _refused(effect, plan, at)
    if effect.kind == "possible":
        size = effect.device_bytes or effect.allocated_bytes or 0
        tip = translate(
            "Plan panel", "With this the plan can be carried out; its peak is {size}."
        ).format(size=format_bytes(size))
        return Effect(
            translate("Plan panel", "peak {size}").format(size=format_bytes(size)),
            "neutral",
            translate("Plan panel", "possible"),
            at,
            tip=tip,
        )
    then = _then(effect.verdict, verdict)
    after, difference = _sizes(effect)
    slower = step_words.change(effect.time_change)
    alone = then or ("" if slower == step_words.same() else slower)
    if difference == 0 and effect.allocated_difference_bytes:
        allocated = format_bytes(effect.allocated_bytes or 0)
        tip = translate(
            "Plan panel",
            "Tensors take {allocated} at the peak, but the allocator reserves as much as before.",
        ).format(allocated=allocated)
        return Effect(translate("Plan panel", _SAME["same_peak"]), "neutral", alone, at, tip=tip)
    if difference == 0:
        tip = translate("Plan panel", _SAME_TIPS[effect.kind])
        return Effect(translate("Plan panel", _SAME[effect.kind]), "neutral", alone, at, tip=tip)
    words, tone = _difference(after, difference)
    tip = translate("Plan panel", "Takes more memory: {after} at the peak instead of {before}.")
    if difference < 0:
        tip = translate("Plan panel", "Saves memory now: {after} at the peak instead of {before}.")
    tip = tip.format(after=format_bytes(after), before=format_bytes(after - difference))
    if effect.allocated_difference_bytes not in (None, difference):
        allocated = format_difference(
            effect.allocated_bytes or 0,
            (effect.allocated_bytes or 0) - (effect.allocated_difference_bytes or 0),
        )
        tip += "\n" + translate(
            "Plan panel", "Allocated by tensors: {allocated}; the rest is the allocator’s."
        ).format(allocated=allocated)
    if slower:
        tip += "\n" + translate(
            "Plan panel", "For as many tokens or samples: {slower}, an estimate."
        ).format(slower=slower)
    if then:
        tip += "\n" + translate("Plan panel", "The plan then {then}.").format(then=then)
    return Effect(words, tone, then or slower, at, tip=tip, size_bytes=difference)


def _refused(effect: OptionEffect, plan: type[Plan], at: str) -> Effect:
    sentence = effect.refused[:1].upper() + effect.refused[1:]
    if effect.runs_on is not None:
        words = translate("Plan panel", _ELSEWHERE[effect.runs_on])
        return Effect(words, "faint", at=at, tip=sentence, refused=True)
    if not effect.needs:
        return Effect(
            translate("Plan panel", "not possible"), "faint", at=at, tip=sentence, refused=True
        )
    words = translate("Plan panel", "needs {name}").format(
        name=_name(effect.needs, effect.key, plan)
    )
    after, difference = _sizes(effect)
    if effect.allocated_difference_bytes is None or not difference:
        tip = translate("Plan panel", "With {needs} it is possible.").format(needs=effect.needs)
        tip = f"{sentence}\n{tip}"
        return Effect(words, "faint", at=at, tip=tip, refused=True)
    changed, tone = _difference(after, difference)
    tip = translate("Plan panel", "With {needs} it would change the peak by {changed}.").format(
        needs=effect.needs, changed=changed
    )
    tip = f"{sentence}\n{tip}"
    return Effect(changed, tone, words, at, tip=tip, size_bytes=difference, refused=True)


def _name(setting: str, key: str, plan: type[Plan]) -> str:
    """What has to be chosen as well, as it stands in a sentence.

    Another section that is off so far has its title, a choice its value, a number its own title.
    """
    path, _, value = setting.partition("=")
    section = next(one for one in sections_of(plan) if one.name == path.partition(".")[0])
    option = next(one for one in section.options if one.key == path)
    if option.kind != "choice":
        return f"{_inside(option.title)} {value}"
    elsewhere = section.name != key.partition(".")[0]
    if elsewhere and option.choices[0].value == "none":
        return _inside(section.title)
    return value.replace("_", " ")


def _inside(title: str) -> str:
    """A title within a sentence."""
    return title[:1].lower() + title[1:]


def _sizes(effect: OptionEffect) -> tuple[int, int]:
    """The changed peak and the difference: the whole device's where it is known."""
    if effect.device_bytes is not None and effect.device_difference_bytes is not None:
        return effect.device_bytes, effect.device_difference_bytes
    return effect.allocated_bytes or 0, effect.allocated_difference_bytes or 0


def _difference(after: int, difference: int) -> tuple[str, Tone]:
    return format_difference(after, after - difference), "saves" if difference < 0 else "costs"


def _then(after: Verdict | None, before: Verdict | None) -> str:
    """What becomes of the verdict, where it changes."""
    if after is None or before is None or after == before:
        return ""
    return {
        "fits": translate("Plan panel", "fits"),
        "at_risk": translate("Plan panel", "may not fit"),
        "does_not_fit": translate("Plan panel", "does not fit"),
    }[after]
