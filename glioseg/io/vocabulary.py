"""The one table of words that says which sequence a name speaks of, and which names are those of masks.

File names (:mod:`glioseg.io.names`) and DICOM's SeriesDescription and ProtocolName
(:mod:`glioseg.io.dicom.match`) are both read with it, so that a series keeps its meaning when a program turns
it into a file.

Names are brought into plain words first (:func:`normal`), so that the patterns below meet small letters, one
space between words, ``+`` as a word of its own, and compounds such as ``T1wPost`` taken apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Sequence = Literal["flair", "pre", "post", "other"]

MASK_WORDS = (
    "masks?|d?seg|segm|segmentations?|labels?|lesions?|truth|gt|groundtruth|roi|annotations?|consensus"
)
"""The last word of a name that says that the file holds a mask."""

KINDS = {
    "localizer": r"locs?|locali[sz]er\w*|scouts?|survey|aahead\w*|(?:3|three) ?planes?|calib\w*",
    "diffusion": r"adc|eadc|e?dwi\w*|dti|diff|diffusion\w*|tracew?|tensor",
    "susceptibility": r"swi\w*|swan|suscept\w*|qsm|minip",
    "perfusion or function": (
        r"asl|perf|perfusion\w*|dsc|dce|r?cbv|r?cbf|mtt|ttp|tmax|fmri|bold|epi?2d\w*|resting"
    ),
    "angiography": r"tof|mra|mrv|angio\w*|phase contrast",
    "map": r"\w*maps?|mapping|t1 rho|mtr?|phase(?! ?\d)|phasediff|magnitude\d?",
    "spectroscopy": r"svs|csi|spectro\w*|mrs",
    "derived": (
        r"mip|sub(?! ?\d)|(?:t1|w|ce|gd|post|c|\+|contrast) sub|subtr\w*|"
        r"screen ?save\w*|report|cor reg\w*|sbref"
    ),
    "inversion recovery or steady state": r"stir|ciss|fiesta",
}
"""What an image is that is neither FLAIR nor T1 nor T2, whatever other words its name has."""

_MAYBE_OTHER = r"pd\w?|pc|fa|epi|b0|b1|b[1-9]\d00?"
# Short words, and patients are called alike: they count where no word says FLAIR, T1 or T2.

_FLAIR = r"\w*flair\d*|dark ?fluid|t2w? ?f|(?:t2 )?tirm"
_T1 = (
    r"t1(?:[a-z]\w*)?|m?e?mp2?rage\w*|(?:ir )?e?f?spgr\w*|bravo|vibe|tfl(?:3d)?|(?:3d )?tfe|thrive|lava|unit1"
)
_T2 = r"t2(?:[a-z]\w*)?"
_AGENT = r"contrast\w*|gd|gad|gado\w*|dotarem|magnevist|km|ks|ce|kontrast\w*|enh\w*"
_NO_AGENT = r"(?: (?:ops?|operat\w*|surg\w*|rt|radio\w*|treat\w*|therap\w*|chemo\w*|biopsy))"
# What follows "pre" and "post" where they speak of something else than contrast agent.
_NOT_FAT = r"(?: (?:fs|fat\w*|spair|spir|mt))"
_WITHOUT = (
    rf"(?:non|wo|without|no|ohne|pre) (?:iv )?(?:{_AGENT}|con|c)|noncon\w*|pre(?!{_NO_AGENT})|native?|"
    rf"unenhanced|t1 n|(?:wo|without)(?!{_NOT_FAT})"
)
_WITH = rf"post(?!{_NO_AGENT})|{_AGENT}|t1 c(?! spine)|c t1|c \+|\+ (?:{_AGENT}|c)|t1 \+"
_EITHER = r"with(?: and|,)? without|w(?: and)? (?:wo|without)|pre (?:and )?post|\+ without"
# "MR BRAIN W WO CONTRAST" is said of a whole examination and says nothing of one image.

_SAYS_PRE = rf"pre(?!{_NO_AGENT})|native?|noncon\w*|(?:pre|non) (?:{_AGENT}|con)"
# Where no word says T1: "without" alone may be said of anything.

_ATOMS = re.compile(
    "gadolinium|sagittal|weighted|contrast|enhanced|coronal|mprage|fatsat|flair|fluid|fspgr|bravo|space|axial|"
    "dark|post|gado|maps|spgr|vibe|star|tirm|cube|pre|con|non|gad|map|rho|tse|fse|gre|sag|cor|tra|iso|enh|sat|"
    "t1|t2|wi|gd|ce|km|ks|fs|se|ir|ax|3d|2d|w"
)
# Words of which compounds such as "t1wpost" and "3dflair" are made; the longest that fits is tried first.
_NAMED_BY = {"flair", "t1", "t2", "contrast", "gd", "gado", "mprage", "spgr", "dark"}
_AFTER = {"t1": "cn", "t2": "f"}
# A letter behind: "t1c", "t1n" and "t2f", as the BraTS data sets name their files.

_ACQUISITION = (
    r"ax|axial|sag|sagittal|cor|coronal|tra|trans|transversal|transverse|obl|[23]d|fs|fat|fatsat|sat|se|tse|fse|gre|"
    r"ir|fl[23]d|iso|space|cube|vista|mpr|\d+mm|w|wi|weighted|star|and|with"
)

_ENTITY = re.compile(r"(?<![a-z0-9])(?:sub|ses|run|space|dir|rec|part|label|desc|echo)-[a-z0-9]+(?![a-z0-9])")
# Key and value as in the names of the Brain Imaging Data Structure (BIDS): "sub-01" is no subtraction.
_REGISTERED = re.compile(
    r"(?<=[a-z0-9] )(?:(?:co)?reg\w*|moved|resampled)?(?: ?(?:to|onto|in|on|2)) "
    r"(?:t1|t2|flair|mni\w*)(?: w)?(?: space)?(?= |$)"
)
# "flair_to_t1" is FLAIR.


@dataclass(frozen=True)
class Named:
    """What a name says of the image behind it.

    Attributes:
        kind: ``flair``, ``t1``, ``t2``, a key of :data:`KINDS` or ``other``; ``""`` when no word says it.
        contrast: whether it was made after contrast agent was given; ``None`` when no word says so.
    """

    kind: str = ""
    contrast: bool | None = None

    @property
    def sequence(self) -> Sequence | None:
        """``flair``, ``pre``, ``post``, ``other`` or ``None``; a T1 is ``pre`` unless contrast is said."""
        if self.kind == "t1":
            return "post" if self.contrast else "pre"
        if self.kind == "flair":
            return "flair"
        return "other" if self.kind else None


@lru_cache(8192)
def named(text: str) -> Named:
    """What the words of a name say.

    "T2 FLAIR" and "dark fluid" are FLAIR; "T1 FLAIR" is T1. A T1 is post-contrast where a word says so and
    none says "without". Words for localisers, maps, diffusion and so on decide over all others.

    Args:
        text: a file's stem, or what DICOM says of a series. Capitals, and what stands between words (spaces,
            ``_``, ``-``, ``.``), do not matter.
    """
    words = normal(text)
    for kind, pattern in KINDS.items():
        if _has(words, pattern):
            return Named(kind)
    flair, t1, t2 = _has(words, _FLAIR), _has(words, _T1), _has(words, _T2)
    contrast = _contrast(words)
    if t1 and not t2:
        return Named("t1", contrast)
    if flair:
        return Named("flair", contrast)
    if t2:
        return Named("t2", contrast)
    if _has(words, _MAYBE_OTHER):
        return Named("other")
    if contrast or (contrast is False and _has(words, _SAYS_PRE)):
        return Named("t1", contrast)
    return Named()


def sequence_in(text: str) -> Sequence | None:
    """The sequence that a name speaks of, see :func:`named`."""
    return named(text).sequence


def is_t2(text: str) -> bool:
    """Whether a name speaks of T2, and not of T2* or FLAIR; see :func:`named`."""
    return named(text).kind == "t2" and not _has(normal(text), "star")


def without_sequence(text: str, *, loosely: bool = False) -> str:
    """A name without the words that speak of the sequence, to tell which names are those of one scan.

    Args:
        text: a file's stem; ``BraTS_001_t1ce`` gives ``BraTS_001``.
        loosely: also without the words for the way of imaging (``AX``, ``3D``, ``FS`` ...) and the numbers of
            series: a short one at the start, and one behind a date, as dcm2niix writes them.
    """
    kept: list[str] = []
    parts = re.split(r"([ _.\-]+)", text)
    entities = _entities(text)
    place = 0
    for number, part in enumerate(parts):
        inside = any(start <= place < end for start, end in entities)
        place += len(part)
        if number % 2 or inside or not _is_said_of_image(part, loosely):
            kept.append(part)
    rest = re.sub(r"([ _.\-])[ _.\-]+", r"\1", "".join(kept)).strip(" _.-+")
    if loosely:
        rest = re.sub(r"^\d{1,3}(?=[ _.\-]|$)|(?<=\d{8})[ _.\-]\d{1,4}[a-z]?$", "", rest).strip(" _.-")
    return rest


def is_mask_word(word: str) -> bool:
    """Whether a word, in small letters, says that a file holds a mask."""
    return re.fullmatch(MASK_WORDS, word) is not None


def normal(text: str) -> str:
    """The words of a name in small letters, one space between them, compounds taken apart."""
    plain = _ENTITY.sub(" ", text.casefold())
    plain = re.sub(r"(?<![a-z0-9])w/o(?![a-z0-9])|(?<![a-z0-9+])-(?=c(?![a-z0-9-]))", " without ", plain)
    plain = re.sub(r"(?<=t[12])\*", " star ", plain)
    plain = re.sub(r"[^a-z0-9+]+", " ", plain).replace("+", " + ")
    plain = " ".join(_parts_of(word) for word in plain.split())
    return _REGISTERED.sub(" ", plain).strip()


def _contrast(words: str) -> bool | None:
    if _has(words, _EITHER):
        return None
    if _has(words, _WITHOUT):
        return False
    return True if _has(words, _WITH) else None


def _has(words: str, pattern: str) -> bool:
    """Whether a pattern fits whole words among these."""
    return re.search(rf"(?:^|(?<= ))(?:{pattern})(?= |$)", words) is not None


@lru_cache(8192)
def _parts_of(word: str) -> str:
    """``t1wpost`` as ``t1 w post``; a word that is not made of known ones stays as it is."""
    if word.startswith("ct1"):
        return f"c {_parts_of(word[1:])}"
    atoms = _split(word)
    return " ".join(atoms) if atoms and _NAMED_BY.intersection(atoms) else word


def _split(word: str) -> list[str]:
    """The known words that a word is made of, or nothing."""
    found = _ATOMS.match(word)
    if found is None:
        return [word] if word.isdigit() else []
    atom, rest = found.group(), word[found.end() :]
    parts = [atom]
    if atom in _AFTER:
        if rest[:1].isdigit():
            return []  # "t12" is a vertebra
        if rest[:1] and rest[0] in _AFTER[atom] and (rest[1:] == "" or _split(rest[1:])):
            parts, rest = [atom, rest[0]], rest[1:]
    if not rest:
        return parts
    behind = _split(rest)
    return [*parts, *behind] if behind else []


def _entities(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in _ENTITY.finditer(text.casefold())]


def _is_said_of_image(part: str, loosely: bool) -> bool:
    """Whether all of a part of a name speaks of the sequence (or, loosely, of the way of imaging)."""
    words = normal(part).split()
    own = "|".join((*KINDS.values(), _MAYBE_OTHER, _FLAIR, _T1, _T2, _AGENT, "dark|fluid"))
    own += r"|post|pre|native?|non\w*|wo|without|no|unenhanced|con|\+"
    beside = f"{own}|{_ACQUISITION}|c|n|f"
    if not words or not (_has(" ".join(words), own) or loosely):
        return not words and "+" in part
    return all(re.fullmatch(beside, word) for word in words)
