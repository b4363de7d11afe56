"""A plan on a real device: real steps, measured, against the prediction.

What starts and follows processes here needs torch no more than they do: reading a snapshot takes
none. So nothing is imported but for who asks for it.
"""

from memplanner.run.stopping import StopSignal

__all__ = ["StopSignal"]
