"""What can be wrong, said so that a person can mend it.

Every fault names where it is, what was expected, what was found and the cure.
Verbs catch :class:`GliosegError`, print it without a traceback and leave with
its ``exit_code``: 1 failed, 2 wrong usage or bad input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from copy import copy

from glioseg.words import Phrase, as_parameters, catalogue, changed, filled, sentence

FEW = 5
"""So many faults of one kind are listed one by one if each has its own words."""

PARTS = ("where", "expected", "found", "cure")
"""What the catalogue says of a fault; ``where`` only if the fault names no file, folder or option itself."""


class Fault:
    """One thing that is wrong with one file, folder or setting: a code of the catalogue and its parameters.

    Args:
        code: key in the section ``faults`` of :mod:`glioseg.words`.
        where: the file, folder or option; left out where the catalogue says it.
        parameters: what the sentences are filled with; a :class:`glioseg.words.Phrase` among them is said in
            the language of the sentence.

    Attributes:
        code, where, parameters: as given, ``where`` and parameters as text.
        expected, found, cure: in English.

    >>> Fault("files.full", "out").found
    'a full disk'
    """

    def __init__(self, code: str, where: object = None, **parameters: object) -> None:
        self.code = code
        self.parameters = as_parameters(parameters)
        self.named = where is not None
        self.where = str(where) if self.named else self.part("where")

    def part(self, name: str, language: str = "en") -> str:
        """One of :data:`PARTS` in a language."""
        sentences = catalogue(language)["faults"][self.code]
        if name == "where" and self.named:
            return self.where
        return filled(sentences[name], self.parameters, language)

    @property
    def expected(self) -> str:
        """What should be there, in English."""
        return self.part("expected")

    @property
    def found(self) -> str:
        """What is there, in English."""
        return self.part("found")

    @property
    def cure(self) -> str:
        """What to do, in English."""
        return self.part("cure")

    def phrase(self, name: str) -> Phrase:
        """One of :data:`PARTS` as a parameter of another sentence, to be said in its language."""
        return _Part(self, name)

    def at(self, where: object) -> Fault:
        """The same fault of another place."""
        other = copy(self)
        other.named, other.where = True, str(where)
        return other

    def changed(self, change: Callable[[str], str]) -> Fault:
        """The same fault with its place and every parameter changed."""
        other = copy(self)
        other.where = change(self.where)
        other.parameters = changed(self.parameters, change)
        return other

    def text(self, language: str = "en") -> str:
        """The whole fault in a language."""
        where, expected, found, cure = (self.part(name, language) for name in PARTS)
        return sentence(
            "sentences", "fault", language, where=where, expected=expected, found=found, cure=cure
        )

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"Fault({self.code!r}, {self.where!r}, {self.parameters})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fault) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.code, self.where, tuple(sorted(self.parameters.items()))


class _Part(Phrase):
    """A part of a fault, said in the language of the sentence that it stands in."""

    def __new__(cls, fault: Fault, name: str) -> _Part:
        new = str.__new__(cls, fault.part(name))
        new.fault, new.name = fault, name
        return new

    fault: Fault
    name: str

    def text(self, language: str = "en") -> str:
        return self.fault.part(self.name, language)

    def changed(self, change: Callable[[str], str]) -> _Part:
        return _Part(self.fault.changed(change), self.name)

    def __reduce__(self) -> tuple[object, ...]:
        return _Part, (self.fault, self.name)


class GliosegError(Exception):
    """Base of every error that glioseg raises on purpose."""

    exit_code = 1


class InputError(GliosegError):
    """Bad input or wrong usage: one or more faults, all of them at once.

    >>> import glioseg
    >>> try:
    ...     glioseg.read_scan("not-there.nii.gz")
    ... except glioseg.InputError as error:
    ...     [fault.where for fault in error.faults]
    ['not-there.nii.gz']
    """

    exit_code = 2

    def __init__(self, *faults: Fault) -> None:
        if not faults:
            raise ValueError("an InputError needs at least one fault")
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class WrongKindError(GliosegError, TypeError):
    """An array of the wrong kind was passed: a float mask, a mask of 0/255, probabilities for logits."""


class TrainingError(GliosegError):
    """A training stopped with a diagnosis (NaN loss, predictions that stay empty or full)."""


def raise_all(faults: Iterable[Fault]) -> None:
    """Raise one :class:`InputError` that holds every fault, or return if there is none."""
    faults = tuple(faults)
    if faults:
        raise InputError(*faults)


def require_extra(extra: str, *modules: str) -> None:
    """Refuse, with the pip line that helps, when a module of an optional extra is missing.

    Args:
        extra: name of the extra, for instance ``"train"``.
        modules: top-level module names that the extra provides.

    Raises:
        InputError: a module cannot be found. Nothing is imported by this check.
    """
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        from glioseg.install import install_command

        command = install_command(extra)
        raise InputError(Fault("extra.missing", modules=", ".join(missing), extra=extra, command=command))


def shared(faults: Iterable[Fault]) -> list[Fault]:
    """Faults without repetition: what is wrong in the same way in many places is said once, with the count.

    Args:
        faults: in any order.

    Returns:
        For each kind (one code, found and mended in the same words, or more than :data:`FEW` of one code) the
        first of its faults; its place is followed by how many more there are.
    """
    kinds: dict[tuple[str, ...], list[Fault]] = {}
    faults = tuple(faults)
    codes = Counter(fault.code for fault in faults)
    for fault in faults:
        key = (
            (fault.code,)
            if codes[fault.code] > FEW
            else (fault.code, fault.expected, fault.found, fault.cure)
        )
        kinds.setdefault(key, []).append(fault)
    return [
        first if not others else first.at(Phrase("fault.places", where=first.where, count=len(others)))
        for first, *others in kinds.values()
    ]
