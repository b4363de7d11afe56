"""A plan as a YAML file."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from memplanner.errors import PlanError
from memplanner.plan.bounded_yaml import Kind, load_yaml, plain_yaml, read_text
from memplanner.plan.plan import Plan
from memplanner.writing import why, write_whole

_PLAN = Kind("plan", "name a plan that memplanner wrote", longest_value=4096)


def read_plan(path: str | Path) -> Plan:
    """The plan in the YAML file ``path``.

    Raises ``PlanError`` with a sentence that names the file and what to change.
    """
    return parse_plan(read_text(Path(path), _PLAN), origin=str(path))


def parse_plan(text: str, *, origin: str = "the plan") -> Plan:
    """The plan in the YAML ``text``; ``origin`` names it in the sentence of a ``PlanError``."""
    return Plan.parse(parse_values(text, origin), origin=origin)


def write_plan(plan: Plan, path: str | Path) -> None:
    """Writes ``plan`` to ``path``, whole or not at all. Raises ``PlanError``."""
    try:
        write_whole(Path(path), dump_plan(plan))
    except OSError as error:
        raise PlanError(
            f"{path} could not be written: {why(error)}; choose another place or make room."
        ) from error


def dump_plan(plan: Plan) -> str:
    """``plan`` as YAML: every key, in the order of the plan."""
    text = StringIO()
    yaml = plain_yaml()
    yaml.default_flow_style = False
    yaml.dump(plan.to_dict(), text)
    return text.getvalue()


def parse_values(text: str, origin: str) -> Any:
    """What a YAML text of a plan's size and shape says. Raises ``PlanError``, naming ``origin``."""
    return load_yaml(text, origin, _PLAN)
