"""What the framework finds wrong with a request, in the words of the catalogue.

What the framework itself says of it is the parameter ``reason`` of the fault, a technical detail in English
that no sentence holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from glioseg.errors import Fault
from glioseg.words import Joined, Phrase

_KINDS = {"int": "number", "float": "number", "bool": "yes_or_no", "string": "text", "list": "list"}
_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}


def of_framework(error: HTTPException) -> Fault:
    """The fault of a request that no route takes, or whose form cannot be read."""
    codes = {404: "server.no_address", 405: "server.wrong_method"}
    code = codes.get(error.status_code, "server.bad_request")
    if code == "server.bad_request" and str(error.detail).startswith("Too many"):
        code = "server.too_many_parts"
    return Fault(code, "", reason=error.detail)


def methods_of(app: FastAPI, path: str) -> list[str]:
    """The methods that an address of the API takes; the framework names those of one route alone."""
    for address, operations in app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", address), path):
            return sorted(method.upper() for method in operations)
    return []


def of_parameter(found: Mapping[str, Any]) -> Fault:
    """The fault of a parameter that does not fit.

    Args:
        found: one of the errors of pydantic: ``type``, ``loc``, ``msg`` and perhaps ``ctx``.
    """
    kind, context = str(found["type"]), dict(found.get("ctx") or {})
    where = ".".join(str(part) for part in found["loc"])
    said = {"reason": found["msg"]}
    if kind == "missing":
        return Fault("server.parameter_missing", where, **said)
    if kind == "extra_forbidden":
        return Fault("server.parameter_unknown", where, **said)
    if kind == "json_invalid":
        return Fault("server.not_json", "", **said).at("body")
    if kind in _BOUNDS:
        bound = Phrase(f"server.{kind}", bound=context.get(_BOUNDS[kind], ""))
        return Fault("server.parameter_range", where, bound=bound, **said)
    choices = _choices(kind, context)
    if choices:
        return Fault("server.parameter_choice", where, choices=Joined(choices), **said)
    if kind in ("too_short", "too_long"):
        least, most = context.get("min_length", 0), context.get("max_length", context.get("actual_length", 0))
        code = "server.parameter_too_few" if kind == "too_short" else "server.parameter_too_many"
        return Fault(code, where, least=least, most=most, **said)
    wanted = _KINDS.get(kind.split("_", 1)[0])
    if wanted and kind.endswith(("_type", "_parsing")):
        return Fault("server.parameter_type", where, wanted=Phrase(f"server.{wanted}"), **said)
    return Fault("server.bad_parameter", where, **said)


def _choices(kind: str, context: Mapping[str, Any]) -> list[str]:
    if kind in ("literal_error", "enum"):
        return re.findall(r"'([^']*)'", str(context.get("expected", "")))
    pattern = re.fullmatch(r"\^\((\w+(?:\|\w+)*)\)\$", str(context.get("pattern", "")))
    return pattern[1].split("|") if pattern else []
