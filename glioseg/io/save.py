"""What :meth:`glioseg.Segmentation.save` and :meth:`glioseg.Prediction.save` do."""

from __future__ import annotations

from pathlib import Path

from glioseg.errors import Fault, InputError
from glioseg.files import write_json
from glioseg.io import plain_name, write_segmentation
from glioseg.io.labels import stored_as_image
from glioseg.io.registry import READERS
from glioseg.prediction import Prediction
from glioseg.scan import Segmentation


def save_segmentation(segmentation: Segmentation, path: Path, anonymise: bool = False) -> list[Path]:
    """See :meth:`glioseg.Segmentation.save`."""
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        from glioseg.io.nifti import write_file

        return [write_file(segmentation, path)]
    if name.endswith(".dcm"):
        from glioseg.io.dicom.segment import write_segments

        return [write_segments(segmentation, path, anonymise=anonymise)]
    if name.endswith((".tif", ".tiff", ".png")):
        from glioseg.io.image import write_picture

        if name.endswith(".png") and len(segmentation.voxels) > 1:
            raise InputError(Fault("save.png_slices", path, slices=len(segmentation.voxels)))
        return [write_picture(path.with_suffix(""), path.suffix.lower(), stored_as_image(segmentation))]
    if path.suffix and path.suffix[1:].isalpha() and not path.is_dir():
        raise InputError(Fault("save.kind", path, suffix=path.suffix))
    return write_segmentation(segmentation, path, anonymise=anonymise)


def write_both(
    segmentation: Segmentation, folder: Path, name: str | None = None, *, anonymise: bool = False
) -> list[Path]:
    """Write a segmentation as its scan was read, and in the kind for programs that cannot open that one."""
    written = write_segmentation(segmentation, folder, name, anonymise=anonymise)
    reader = READERS.get(segmentation.storage.format)
    if reader is not None and reader.beside is not None:
        written += READERS[reader.beside].write_segmentation(segmentation, folder, name or segmentation.id)
    return written


def save_prediction(prediction: Prediction, folder: Path, anonymise: bool = False) -> list[Path]:
    """See :meth:`glioseg.Prediction.save`."""
    from glioseg.io.nifti import write_probability

    segmentation = prediction.segmentation
    name = plain_name(segmentation.id)
    written = write_both(segmentation, folder, anonymise=anonymise)
    if prediction.probability is not None:
        probability = folder / f"{name}_probability.nii.gz"
        written.append(write_probability(prediction.probability, segmentation, probability))
    facts = {
        "id": segmentation.id,
        "origin": segmentation.origin,
        "labels": {str(value): title for value, title in segmentation.labels.items()},
        "label_voxels": {str(value): count for value, count in segmentation.counts.items()},
        "slices_with_lesion": segmentation.slices_with_lesion,
        "volume_mm3": segmentation.volume_mm3,
        "expected_dice": prediction.expected_dice,
        "doubts": list(prediction.doubts),
        "seconds": round(prediction.seconds, 3),
    }
    write_json(folder / f"{name}.json", facts)
    return [*written, folder / f"{name}.json"]
