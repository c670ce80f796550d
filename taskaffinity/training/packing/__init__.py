"""Training without padding: sequences packed in one row, attention within each, a last layer only where it is read."""
