"""Optimisers and the warm-up schedule."""
