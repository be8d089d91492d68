"""Association of the shape of lesions with genomic and clinical categories.

>>> from glioseg.radiogenomics.study import radiogenomics                # doctest: +SKIP
"""
