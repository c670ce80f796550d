"""A study as one HTML page that needs nothing beside it."""

from taskaffinity.analysis.report.page import report, write_report

__all__ = ["report", "write_report"]
