"""A trained task as a folder that transformers loads, and its predictions on new text."""
