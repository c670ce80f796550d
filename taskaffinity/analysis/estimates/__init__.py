"""Estimates of gains from probes, and how well they agree with measured gains."""
