"""Experiment trackers: MLflow, TensorBoard, Weights & Biases. Off unless ``--report-to`` names them.

The process that was started reads the results folder and logs from it, so workers need no tracker. It sends settings,
scores, ids and names, never the text of a corpus.
"""
