"""Tidy frames and how they are printed."""
