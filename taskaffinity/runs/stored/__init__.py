"""Files of the results folder: how each is written, read and checked."""
