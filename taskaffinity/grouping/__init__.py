"""Which tasks to train together, from measured gains of pairs: arithmetic on arrays, without files."""
