"""The engine as a process: ``python -m memplanner.server``.

Requests come as lines of JSON on standard input; replies go, a line each, to what standard output
was at the start. Whatever user code prints goes to standard error.
"""
