"""Run a plan, in this process or on Ray; runs that the store holds are not trained again."""
