"""The search, on dev scores, for a recipe by which every task is trained well alone: the baseline of gains."""
