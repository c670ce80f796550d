"""Specs and plans of runs, their results, and the folder that stores them. No torch."""
