"""Experiment trackers: MLflow, TensorBoard and Weights & Biases.

They are off unless ``--report-to`` names them.

The main process reads the results folder and logs from it, so workers need no tracker. It sends settings, scores, ids
and names, never the text of a corpus.
"""
