"""Read original distributions of corpora and write task folders; one module per corpus."""
