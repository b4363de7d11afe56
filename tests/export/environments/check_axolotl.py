"""Reads files by axolotl's own schema: ``python check_axolotl.py FOLDER``. Prints JSON."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import yaml
from axolotl.utils.schemas.config import AxolotlInputConfig


def trouble(path: Path) -> str:
    """What is wrong with a file; empty where nothing is."""
    values = yaml.safe_load(path.read_text())
    unknown = values.keys() - AxolotlInputConfig.model_fields.keys()
    if unknown:
        return f"passes over {', '.join(sorted(unknown))}"
    read = AxolotlInputConfig.model_validate(values)
    for name, value in values.items():
        kept = getattr(read, name)
        same = kept == value or str(kept) == str(value)  # an enumeration's name
        if isinstance(value, int | float | str) and not same:
            return f"takes {name}: {value!r} for {kept!r}"
    config = values.get("fsdp_config", {})
    if config:
        given = read.fsdp_config.model_dump(exclude_none=True)
        odd = {key for key, value in config.items() if given.get(key) != value}
        if odd:
            return f"takes fsdp_config's {', '.join(sorted(odd))} otherwise"
    return ""


def main() -> None:
    """Tells of every file of the folder."""
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("*/axolotl.yaml")):
        try:
            found[path.parent.name] = trouble(path)
        except ValueError as error:  # of pydantic
            found[path.parent.name] = str(error)
    print(json.dumps({"version": version("axolotl"), "files": found}))


if __name__ == "__main__":
    main()
