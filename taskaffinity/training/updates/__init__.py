"""Update a model: on a CPU, on a GPU, and on a GPU with captured graphs."""
