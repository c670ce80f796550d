"""Where an error came from, in words that may be stored."""

from __future__ import annotations
