"""The use cases: each is one Python function, and one command that calls it."""
