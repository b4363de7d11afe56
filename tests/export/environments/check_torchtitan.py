"""Reads flags by torchtitan's own parser: ``python check_torchtitan.py FOLDER``. Prints JSON."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torchtitan.config import ConfigManager

POLICIES = {"full": "FullAC", "selective": "SelectiveAC", "memory-budget": "MemoryBudgetAC"}


def trouble(path: Path) -> str:
    """What is wrong with a file; empty where nothing is."""
    lines = path.read_text().replace("\\\n", " ").splitlines()
    words = next(shlex.split(line) for line in lines if "torchtitan.train" in line)
    flags = [word for word in words[words.index("torchtitan.train") + 1 :] if word != "$@"]
    read = ConfigManager().parse_args(flags)
    for number, flag in enumerate(flags):
        if flag.startswith("activation-checkpoint:"):
            kind = type(read.activation_checkpoint).__qualname__.partition(".")[0]
            if POLICIES.get(flag.partition(":")[2], "NoneType") != kind:
                return f"takes {flag} for {kind}"
        elif flag.startswith("--") and "." in flag and ".no-" not in flag:
            kept: Any = read
            for part in flag.removeprefix("--").replace("-", "_").split("."):
                kept = getattr(kept, part)
            value = flags[number + 1] if kept is not True else "True"
            if str(kept) != value:
                return f"takes {flag} {value} for {kept!r}"
    return ""


def main() -> None:
    """Tells of every file of the folder."""
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("*/torchtitan.sh")):
        try:
            found[path.parent.name] = trouble(path)
        except SystemExit:  # of the parser, which has told why
            found[path.parent.name] = "refused by the parser"
        except (ValueError, TypeError, AttributeError) as error:
            found[path.parent.name] = f"{type(error).__name__}: {error}"
    print(json.dumps({"version": version("torchtitan"), "files": found}))


if __name__ == "__main__":
    main()
