"""DICOM in and out.

* :mod:`~glioseg.io.dicom.detect` tells DICOM files from others by their first bytes,
* :mod:`~glioseg.io.dicom.opening` opens them,
* :mod:`~glioseg.io.dicom.headers` reads headers, and refuses what no scan promises,
* :mod:`~glioseg.io.dicom.series` tells series apart and sorts their slices by where they lie,
* :mod:`~glioseg.io.dicom.match` says which series is FLAIR, pre-contrast and post-contrast,
* :mod:`~glioseg.io.dicom.find` tells studies apart,
* :mod:`~glioseg.io.dicom.volume` makes volumes of series, and turns them onto the axes of scans and back,
* :mod:`~glioseg.io.dicom.pixels` decodes,
* :mod:`~glioseg.io.dicom.resample` brings sequences onto the FLAIR,
* :mod:`~glioseg.io.dicom.segment` writes masks as DICOM SEG,
* :mod:`~glioseg.io.dicom.segmentation` reads them,
* :mod:`~glioseg.io.dicom.anonymise` says what of a patient is written,
* :mod:`~glioseg.io.dicom.reader` is the reader in the registry.

pydicom and highdicom, from the extra ``[dicom]``, are imported when a DICOM file is met and not before. Names
of patients are never read, except to keep them out of messages and to hand them on in a SEG.
"""
