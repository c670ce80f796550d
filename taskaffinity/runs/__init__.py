"""What to train and what was found: specs, plans, results, and the folder that keeps them. No torch."""
