"""The errors a user can meet.

Each message is one sentence that names the thing and the fix; the window and the terminal
show that same sentence. Anything else that is raised is a defect of ours.
"""

from __future__ import annotations

import re
import shlex
import sys
from unicodedata import category

LONGEST_SENTENCE = 2000
PACKAGES = {
    "PIL": "pillow",
    "accelerate": "accelerate",
    "gguf": "gguf",
    "huggingface_hub": "huggingface_hub",
    "jinja2": "jinja2",
    "numpy": "numpy",
    "peft": "peft",
    "psutil": "psutil",
    "pynvml": "nvidia-ml-py",
    "ruamel": "ruamel.yaml",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "torch": "torch",
    "transformers": "transformers",
}
"""What an engine imports, and the package that brings it."""


class MemplannerError(Exception):
    """A problem the user can solve; ``str(error)`` is the sentence to show.

    A sentence may quote a file, which may hold anything: it is kept to one line that a terminal
    shows as text, and to ``LONGEST_SENTENCE`` characters.
    """

    def __init__(self, sentence: str = "") -> None:
        text = sentence
        if len(text) > LONGEST_SENTENCE:
            text = text[: LONGEST_SENTENCE - 1] + "…"
        super().__init__(printable(text))


def printable(text: str) -> str:
    """``text`` with a space for what is no text to a terminal: names that come from files, too.

    Control characters, marks that turn the direction of text, halves of characters, and places
    in Unicode that have no character. Spaces of any width stay: figures have thin ones.
    """
    if text.isprintable():
        return text
    shown = (one if one.isprintable() or category(one) == "Zs" else "\0" for one in text)
    return re.sub("\0+", " ", "".join(shown))


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


class PackageMissing(MemplannerError):  # noqa: N818  (it is nobody's mistake)
    """A package that the engine needs is not installed in its Python."""


def package_missing(error: BaseException) -> PackageMissing | None:
    """Which package of the engine was not found, where that is the error; else None."""
    if not isinstance(error, ModuleNotFoundError) or error.name not in PACKAGES:
        return None
    package = PACKAGES[error.name]
    command = shlex.join([sys.executable, "-m", "pip", "install", package])
    return PackageMissing(
        f"{sys.executable} has no {package}, which the engine needs; install it there with "
        f"“{command}”, or use another Python."
    )
