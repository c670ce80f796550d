"""Choose which tasks to train together from gains of pairs: arithmetic on arrays, no files."""
