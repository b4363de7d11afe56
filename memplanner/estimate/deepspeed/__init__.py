"""What a rank holds under DeepSpeed's ZeRO, reckoned from the source of DeepSpeed 0.19.8.

``records`` hands out tapes as the recorder does, and ``rank_tape`` makes one: one card's recorded
step, changed by ``editing``. What stands in place of its parameters, gradients and states is said
by ``share`` (who owns what), ``gradients`` (buckets), ``gathering`` and ``gathered_weights``
(ZeRO-3) and ``update`` with ``flat_update`` (the optimizer step). ``states`` has DeepSpeed's own
estimate. Files named in the docstrings are those of ``deepspeed/runtime/zero`` where no other
folder stands.
"""

from memplanner.estimate.deepspeed.records import Records, records_for
from memplanner.estimate.deepspeed.states import beside_states, states_of

__all__ = ["Records", "beside_states", "records_for", "states_of"]
