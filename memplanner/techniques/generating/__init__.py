"""A model in use: generation as transformers' own ``generate`` does it, and its caches."""
