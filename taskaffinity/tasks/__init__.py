"""Tasks, metrics, and where their examples come from. No torch, no results."""
