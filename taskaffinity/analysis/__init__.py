"""The reading wing: from a results folder to gains, verdicts, graphs and figures. Never torch, never ray."""
