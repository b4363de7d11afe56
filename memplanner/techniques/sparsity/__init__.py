"""Weights taken away: which, by what scores, and what is left of the module."""
