"""One use case, two faces: what a command does, a Python function does."""
