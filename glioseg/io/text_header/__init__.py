"""Volumes whose header is text: NRRD and MetaImage, as 3D Slicer and ITK write them.

Both say in a few lines what follows them: sizes, kind of numbers, where the voxels lie in the body, and where
in the file or in which file beside it they begin. Reading these lines here, and not with a package, lets
sizes be checked before anything is decoded and keeps a header from naming files elsewhere.
"""
