"""Encoders: their folders, how they are checked, and how they are loaded."""
