"""Turn text into mini-batches: tokenize, cache, sample, pad."""
