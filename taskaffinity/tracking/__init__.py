"""Trackers of experiments that follow a study: MLflow, TensorBoard, Weights & Biases. Off unless asked for.

They read the results folder in the process that was started: a worker needs none of them, and runs on Ray are told as
those of this process are. Sent are settings, scores, ids and names, never a text of a corpus.
"""
