"""What a plan's sections do to a model.

``NAME.py`` is the technique of the section ``NAME``: its ``Technique``, what it refuses and what it
notes. ``base``, ``target``, ``prepare`` and ``step`` are what all of them share, ``layer_choice``
what those share that take linear layers.

Beside a technique lies what it does, where that is more than a page: for ``pruning`` the package
``sparsity`` and the checks ``pruned_structure``, for ``quantization`` the package ``low_bit``, for
``loss`` ``chunked_loss``, for ``activation_offload`` ``kept_on_host`` and for ``optimizer``
``updates_in_backward`` and ``low_bit.states``. What an exported script brings along is torch alone.
"""
