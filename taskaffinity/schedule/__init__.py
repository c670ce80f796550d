"""Runs a plan, in this process or on Ray. The store decides what is left to do."""
