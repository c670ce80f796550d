"""Groups of tasks that a study recommends, and their gains after training with fresh seeds."""
