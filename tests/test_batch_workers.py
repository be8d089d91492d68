"""How many processes share the scans of one call."""

from __future__ import annotations

import pytest

from glioseg.batch.processes import fitting_workers


@pytest.mark.parametrize(
    ("cores", "scans", "threads", "expected"),
    [
        (2, 100, None, 1),
        (4, 7, None, 1),
        (4, 8, None, 2),
        (4, 100, 1, 2),
        (4, 100, 4, 1),
        (1, 100, None, 1),
        (32, 100, None, 8),
        (16, 12, 2, 3),
    ],
)
def test_as_many_processes_share_scans_as_pay(
    monkeypatch: pytest.MonkeyPatch, cores: int, scans: int, threads: int | None, expected: int
) -> None:
    monkeypatch.setattr("glioseg.batch.processes.usable_cores", lambda: cores)
    assert fitting_workers(scans, threads) == expected
