"""Search a recipe on dev scores of single-task runs, for a fair baseline of the gains."""
