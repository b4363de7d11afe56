"""An effect that the engine has told, in the words of a badge."""

from __future__ import annotations

from memplanner.messages.effects import OptionEffect
from memplanner.messages.estimate import Verdict
from memplanner.plan import Plan
from memplanner.units import format_bytes, format_difference
from memplanner_ui.plan_panel.badge import Effect, Tone

_ELSEWHERE = {"gpu": "GPU only", "newer_gpu": "newer GPU only", "cpu": "CPU only"}
_SAME = {"same_peak": "same peak", "same": "same memory", "numerics_only": "numerics only"}
_SAME_TIPS = {
    "same_peak": "The peak stays as it is; other phases of the step take more or less.",
    "same": "No phase of the step takes more or less.",
    "numerics_only": "Numerics only: no phase of the step takes more or less.",
}


def shown(effect: OptionEffect, verdict: Verdict | None, plan: type[Plan], at: str = "") -> Effect:
    """The effect as it is shown beside its option; ``verdict`` is of the plan as it is.

    ``at`` is the value in words, where the row does not say it.
    """
    if effect.kind == "refused":
        return _refused(effect, plan, at)
    if effect.kind == "possible":
        size = effect.device_bytes or effect.allocated_bytes or 0
        tip = f"With this the plan can be carried out; its peak is {format_bytes(size)}."
        return Effect(f"peak {format_bytes(size)}", "neutral", "possible", at, tip)
    then = _then(effect.verdict, verdict)
    after, difference = _sizes(effect)
    if difference == 0 and effect.allocated_difference_bytes:
        allocated = format_bytes(effect.allocated_bytes or 0)
        tip = f"Tensors take {allocated} at the peak, but the allocator reserves as much as before."
        return Effect(_SAME["same_peak"], "neutral", then, at, tip)
    if difference == 0:
        return Effect(_SAME[effect.kind], "neutral", then, at, _SAME_TIPS[effect.kind])  # fmt: skip
    words, tone = _difference(after, difference)
    what = "Saves memory now" if difference < 0 else "Takes more memory"
    tip = (
        f"{what}: {format_bytes(after)} at the peak instead of {format_bytes(after - difference)}."
    )
    if effect.allocated_difference_bytes not in (None, difference):
        allocated = format_difference(
            effect.allocated_bytes or 0,
            (effect.allocated_bytes or 0) - (effect.allocated_difference_bytes or 0),
        )
        tip += f"\nAllocated by tensors: {allocated}; the rest is the allocator’s."
    if then:
        tip += f"\nThe plan then {then}."
    return Effect(words, tone, then, at, tip, difference)


def _refused(effect: OptionEffect, plan: type[Plan], at: str) -> Effect:
    sentence = effect.refused[:1].upper() + effect.refused[1:]
    if effect.runs_on is not None:
        return Effect(_ELSEWHERE[effect.runs_on], "faint", "", at, sentence, refused=True)
    if not effect.needs:
        return Effect("not possible", "faint", "", at, sentence, refused=True)
    words = f"needs {_name(effect.needs, effect.key, plan)}"
    after, difference = _sizes(effect)
    if effect.allocated_difference_bytes is None or not difference:
        tip = f"{sentence}\nWith {effect.needs} it is possible."
        return Effect(words, "faint", "", at, tip, refused=True)
    changed, tone = _difference(after, difference)
    tip = f"{sentence}\nWith {effect.needs} it would change the peak by {changed}."
    return Effect(changed, tone, words, at, tip, difference, refused=True)


def _name(setting: str, key: str, plan: type[Plan]) -> str:
    """The section that a setting is of, as it stands in a sentence; in the same one, its value."""
    path, _, value = setting.partition("=")
    name = path.partition(".")[0]
    if name == key.partition(".")[0]:
        return value.replace("_", " ")
    field = plan.model_fields.get(name)
    section = None if field is None else field.annotation
    title = getattr(section, "title", "") or (field.title if field else "") or name
    return str(title)[:1].lower() + str(title)[1:]


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
    return {"fits": "fits", "at_risk": "may not fit", "does_not_fit": "does not fit"}[after]
