"""Compute gains, verdicts, graphs and figures from a results folder, without torch and ray."""
