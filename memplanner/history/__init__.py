"""Runs and calibrations, kept between sessions. Imports no torch."""

from memplanner.history.calibration import fit
from memplanner.history.store import History, default_path

__all__ = ["History", "default_path", "fit"]
