"""From original distributions to task files: one module a corpus."""
