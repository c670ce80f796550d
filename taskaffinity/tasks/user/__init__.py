"""A suite of one's own: a YAML file that names tasks, and the files that hold them."""
