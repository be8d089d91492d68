"""Reports that people hand in: one HTML page and the same as Markdown."""

from __future__ import annotations

from glioseg.report.experiments import Headline, write_report
from glioseg.report.words import LANGUAGES, check_language

__all__ = ["LANGUAGES", "Headline", "check_language", "write_report"]
