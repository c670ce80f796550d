"""Updates of a model: on a CPU, on a GPU, and on a GPU as captured graphs."""
