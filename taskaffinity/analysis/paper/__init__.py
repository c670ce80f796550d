"""The paper's tables and figure beside a study's own numbers."""
