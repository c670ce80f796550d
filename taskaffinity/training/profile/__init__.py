"""Measure this machine: the seconds of a run, the speed of bf16, the hardware."""
