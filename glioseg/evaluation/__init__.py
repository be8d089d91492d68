"""Evaluate runs, cross-validate and compare with statistics."""
