"""The errors a user can meet.

Each message is one sentence that names the thing and the fix; the window and the terminal
show that same sentence. Anything else that is raised is a defect of ours.
"""

from __future__ import annotations


class MemplannerError(Exception):
    """A problem the user can solve; ``str(error)`` is the sentence to show."""


class SourceError(MemplannerError):
    """A model cannot be opened from what was named."""


class TrustNeeded(SourceError):  # noqa: N818  (it asks a question)
    """The source brings code of its own, which runs only when the user agrees."""


class PlanError(MemplannerError):
    """A plan, or one of its keys or values, is not valid."""


class DeviceError(MemplannerError):
    """A device is unknown, ambiguous or cannot be used here."""


class EstimateError(MemplannerError):
    """A training step of the model could not be recorded."""


class RunError(MemplannerError):
    """A plan could not be run on the device."""


class ExportError(MemplannerError):
    """A plan could not be written for a target."""


class HistoryError(MemplannerError):
    """The history of runs cannot be read or written."""
