"""Builds the source distribution and the wheel.

python packaging/wheel.py [--output FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from release import ROOT, build_wheel


def main() -> int:
    """Builds both; the exit code."""
    parser = argparse.ArgumentParser(description="Build the source distribution and the wheel.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER")
    print(build_wheel(parser.parse_args().output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
