"""What a plan's sections do to a model.

``NAME.py`` is the technique of the section ``NAME``: its ``Technique``, what it refuses and what it
notes. ``base``, ``target``, ``prepare`` and ``step`` are what all of them share, ``layer_choice``
what those share that take linear layers.

Beside a technique lies what it does, where that is more than a page: for ``pruning`` the package
``sparsity``, the checks ``pruned_structure`` and ``pruning_conflicts``, and ``convolution_chains``,
for ``quantization`` the package ``low_bit``, for ``loss`` ``chunked_loss``, for
``activation_offload`` ``kept_on_host`` and for ``optimizer`` ``updates_in_backward``, ``lion``,
``low_rank_updates`` and ``low_bit.states``. ``distillation`` has the package ``distilling``, the
students that a plan means in ``distilled_model`` and the search for one in ``student_search``. What
an exported script brings along is torch alone, but for ``parallel``: of that package, and of what
it asks of others, the script takes the definitions that its plan uses
(``memplanner/export/carried.py``), with stand-ins for plan, batch and errors.
"""
