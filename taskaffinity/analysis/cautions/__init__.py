"""What limits the verdicts of a study, and what helps."""
