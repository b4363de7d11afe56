"""Choosing where the engine runs: which Python, on which machine."""
