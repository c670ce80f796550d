"""From text to mini-batches: tokenize, cache, draw, pad."""
