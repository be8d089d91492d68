"""What training needs besides the package itself."""

from __future__ import annotations

from glioseg.errors import require_extra


def require_train() -> None:
    """Refuse, with the pip line that helps, when a module that training needs is missing.

    Raises:
        InputError: one cannot be found.
    """
    require_extra(
        "train", "torch", "pytorch_lightning", "tensorboard", "safetensors", "filelock", "onnx", "onnxscript"
    )
