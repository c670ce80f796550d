"""The paper's tables and figure beside the numbers of a study."""
