"""Small products are computed in one thread, and what the process had before comes back."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest
from support.phantom import PREPARATIONS, head, scan_of
from threadpoolctl import threadpool_limits

from glioseg.prepare import Preparation, blas, frame, reference
from glioseg.prepare import head as head_module
from glioseg.prepare.blas import one_blas_thread
from glioseg.prepare.frame import chunks


def blas_threads() -> set[int]:
    """Of NumPy's BLAS, and of what else was there when it was looked for."""
    known = blas._libraries().info()
    return {library["num_threads"] for library in known if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    """Also where the machine has one core."""
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("needs a BLAS whose threads can be set")
        yield


def test_one_thread_inside_and_as_before_outside() -> None:
    with one_blas_thread():
        assert blas_threads() == {1}
        with one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_as_before_after_an_error() -> None:
    with pytest.raises(ValueError, match="wrong"), one_blas_thread():
        raise ValueError("wrong")
    assert blas_threads() == {2}


def test_threads_that_overlap_do_not_leave_one_thread_behind() -> None:
    both_in, first_out = Barrier(2), Barrier(2)
    seen = []

    def first() -> None:
        with one_blas_thread():
            both_in.wait(10)
        first_out.wait(10)

    def second() -> None:
        with one_blas_thread():
            both_in.wait(10)
            first_out.wait(10)
            seen.append(blas_threads())

    threads = [Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [{1}]
    assert blas_threads() == {2}


@pytest.mark.parametrize("name", PREPARATIONS)
def test_scans_are_prepared_and_masks_restored_in_one_thread(name, monkeypatch) -> None:
    seen = set()

    def watched(count):
        seen.update(blas_threads())
        return chunks(count)

    for module in (head_module, frame, reference):
        monkeypatch.setattr(module, "chunks", watched)
    prepared = Preparation(name=name, size=32)(scan_of(head()))
    assert seen == {1}
    seen.clear()
    prepared.frame.restore(prepared.images[..., 0])
    assert seen == {1}
    assert blas_threads() == {2}
