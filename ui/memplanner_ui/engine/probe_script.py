"""Says what a Python has: sent to its standard input, run there, answered in lines of JSON.

The first line comes at once and imports nothing; a second one, where torch is there, tells the
cards that torch sees. Any Python from 3.8 on can run it. Its arguments are names of packages.
"""

from __future__ import annotations

import glob
import importlib.util
import json
import os
import platform
import re
import sys
from importlib import metadata

MOST_OTHERS = 40


def installed(name: str) -> str | None:
    """The version of a package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def torch_build() -> str:
    """What torch is built for: ``CUDA 12.6``, ``ROCm 6.2`` or empty; it is not imported."""
    found = importlib.util.find_spec("torch")
    if found is None or not found.origin:
        return ""
    path = os.path.join(os.path.dirname(found.origin), "version.py")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return ""
    for name, title in (("cuda", "CUDA"), ("hip", "ROCm")):
        match = re.search(rf"^{name}\b[^=\n]*=\s*['\"]([\d.]+)", text, re.MULTILINE)
        if match:
            return f"{title} {match.group(1)}"
    return ""


def others() -> list[str]:
    """Other Pythons of this user, where environments usually are."""
    home = os.path.expanduser("~")
    patterns = (
        "*/bin/python",
        ".*/bin/python",
        "*/.venv/bin/python",
        "*/venv/bin/python",
        "*conda3/envs/*/bin/python",
        "*forge*/envs/*/bin/python",
        ".pyenv/versions/*/bin/python",
    )
    found = [path for one in patterns for path in sorted(glob.glob(os.path.join(home, one)))]
    try:
        with open(os.path.join(home, ".conda", "environments.txt"), encoding="utf-8") as file:
            folders = [line.strip() for line in file if line.strip()]
    except OSError:
        folders = []
    found += [os.path.join(folder, "bin", "python") for folder in folders]
    own = os.path.abspath(sys.executable or "")
    there = [path for path in dict.fromkeys(found) if path != own and os.access(path, os.X_OK)]
    return there[:MOST_OTHERS]


def cards() -> dict[str, object]:
    """What torch says of the cards here."""
    try:
        torch = importlib.import_module("torch")  # that Python's own, never the window's
        names = [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]
    except Exception as error:  # noqa: BLE001  # a broken torch may raise anything: that is told
        said = str(error).strip().split("\n")[0][:300]
        return {"kind": "cards", "cards": [], "trouble": f"{type(error).__name__}: {said}"}
    return {"kind": "cards", "cards": names, "trouble": ""}


def say(values: dict[str, object]) -> None:
    """Prints a line of its own."""
    sys.stdout.write(f"\n{json.dumps(values)}\n")
    sys.stdout.flush()


def main() -> None:
    """Says both lines."""
    has_torch = importlib.util.find_spec("torch") is not None
    say(
        {
            "kind": "environment",
            "python": platform.python_version(),
            "executable": sys.executable or "",
            "machine": platform.node(),
            "packages": {name: installed(name) for name in sys.argv[1:]},
            "torch_build": torch_build() if has_torch else "",
            "others": others(),
            "more": has_torch,
        }
    )
    if has_torch:
        say(cards())


if __name__ == "__main__":
    main()
