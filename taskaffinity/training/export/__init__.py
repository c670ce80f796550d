"""Export a trained task to a transformers folder, and predict with it."""
