"""Train without padding: pack sequences in one row and attend within each sequence."""
