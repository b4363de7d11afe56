"""Plans written for trainers: one file per target.

A module here with an ``ExportTarget`` in it is a target; ``registry`` finds it.
"""

from __future__ import annotations

from pathlib import Path

from memplanner.export.output import write_files
from memplanner.export.registry import all_targets, find_target
from memplanner.export.target import Rendering
from memplanner.hardware import find_device
from memplanner.messages.device import Device
from memplanner.messages.protocol import Target
from memplanner.model.loaded import Model
from memplanner.plan import Plan

__all__ = ["Rendering", "export", "render", "targets"]


def targets() -> tuple[Target, ...]:
    """What a plan can be written for.

    >>> [target.name for target in targets()][:4]
    ['script', 'hugging_face', 'trl', 'axolotl']
    """
    return tuple(target.message() for target in all_targets())


def render(target: str, model: Model, plan: Plan, device: Device) -> Rendering:
    """The files for ``target``, and what of ``plan`` they cannot say. Writes nothing.

    Raises ``ExportError`` for an unknown target or where the target cannot hold this model, and
    ``PlanError`` where the plan cannot be carried out on it.

    >>> from memplanner.model import load
    >>> card = find_device("H100 80GB")
    >>> rendering = render("plan", load("preset:smollm2-135m"), Plan(), card)
    >>> rendering.files[0].name, rendering.cannot_say
    ('plan.yaml', ())
    """
    return find_target(target).render(model, plan, device)


def export(
    model: Model, plan: Plan, target: str, output: str | Path, device: Device | str = "cpu"
) -> tuple[str, ...]:
    """Writes ``plan`` for ``target`` into the file or folder ``output``; the paths written.

    Raises as ``render`` does, ``DeviceError`` for an unknown device, and ``ExportError`` where
    ``output`` cannot be written; nothing half-written is left.

    >>> from tempfile import TemporaryDirectory
    >>> from memplanner.model import load
    >>> with TemporaryDirectory() as folder:
    ...     paths = export(load("preset:smollm2-135m"), Plan(), "plan", f"{folder}/mine.yaml")
    ...     Path(paths[0]).read_text().splitlines()[1]
    "# The model's source: preset:smollm2-135m"
    """
    chosen = find_device(device) if isinstance(device, str) else device
    return write_files(render(target, model, plan, chosen).files, output)
