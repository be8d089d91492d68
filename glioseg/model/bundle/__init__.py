"""A model as a MONAI bundle: what writes one, and what its configuration calls when it is run.

Source: MONAI Bundle Specification, https://docs.monai.io/en/latest/mb_specification.html.
"""
