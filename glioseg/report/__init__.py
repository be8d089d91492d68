"""Reports that people hand in: one HTML page and the same as Markdown."""

from __future__ import annotations

from glioseg.report.experiments import Headline, write_report
from glioseg.report.language import check_language
from glioseg.words import LANGUAGES

__all__ = ["LANGUAGES", "Headline", "check_language", "write_report"]
