"""User suites: a YAML file that names tasks and their data files."""
