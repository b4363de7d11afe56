"""What nobody foresaw: a report of it on this machine, which the user reads and nobody is sent."""

from memplanner_ui.crash.control import CrashControl

__all__ = ["CrashControl"]
