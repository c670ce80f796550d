"""Estimates of gains, from probes and from cheap estimators."""
