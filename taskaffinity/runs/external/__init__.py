"""Runs that were trained elsewhere: their scores and predictions become runs of the store."""
