"""What the API may answer, for its own documentation."""

from __future__ import annotations

from typing import Any

from glioseg.server.downloads import KINDS
from glioseg.server.replies import Faults

REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Faults, "description": "The token is missing or wrong."},
    403: {"model": Faults, "description": "The request comes from another page."},
    413: {"model": Faults, "description": "The request is too large."},
    421: {"model": Faults, "description": "The request is addressed to another host."},
    422: {"model": Faults, "description": "Something is wrong with what was sent; every fault is listed."},
    500: {"model": Faults, "description": "An error of the server's own."},
}
NO_SCAN: dict[int | str, dict[str, Any]] = {404: {"model": Faults, "description": "There is no such scan."}}
NO_MASK: dict[int | str, dict[str, Any]] = {
    **NO_SCAN,
    409: {"model": Faults, "description": "It has no mask yet, or is being segmented."},
}
FULL: dict[int | str, dict[str, Any]] = {
    429: {"model": Faults, "description": "No room; Retry-After says when to come back."}
}
BAD: dict[int | str, dict[str, Any]] = {
    400: {"model": Faults, "description": "The body is not what its headers say."},
    408: {"model": Faults, "description": "The rest of the request did not come in time."},
}
BINARY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file; Content-Type says its kind.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("application/octet-stream", *sorted(set(KINDS.values())))
        },
    }
}
NO_RUN: dict[int | str, dict[str, Any]] = {404: {"model": Faults, "description": "There is no such run."}}
