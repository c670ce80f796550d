"""Continue the pre-training of an encoder on the user's text."""
