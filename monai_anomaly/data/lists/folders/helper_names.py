# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What masks and other helpers of images are called: ``x_mask.png`` beside ``x.png``, or ``masks/x.png``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["IMAGE_FOLDERS", "MASK_WORDS", "folder_word", "helped_stems", "is_called_mask", "key_of", "stem_of"]

MASK_WORDS = ("mask", "segmentation", "seg", "groundtruth", "gt", "label")
"""Words of pictures that mark where something is, the clearest first."""

OTHERS = ("superpixel", "annotation", "contour", "outline", "boundary", "overlay", "heatmap", "bbox", "roi", "preview")
"""Words of other pictures that are made from an image."""

SAME = {
    "segm": "seg",
    "segmented": "segmentation",
    "labelmap": "label",
    "annot": "annotation",
    "annotated": "annotation",
    "thumbnail": "preview",  # a thumb is a part of the body
}
LONG = frozenset("mask segmentation groundtruth superpixel annotation labelmap".split())
"""Words that need nothing before them, as in ``xMask.png``; the end of another word is hardly one of these."""

IMAGE_FOLDERS = frozenset("image images img imgs picture pictures original originals input inputs scan scans".split())
QUALIFIERS = (
    "lesion|lesions|tumor|tumour|nodule|cyst|lung|lungs|breast|left|right|l|r|expert|manual|auto|binary|bin|bw|"
    r"instance|semantic|roi|gt|seg|pixel|\d{1,2}"
)
"""What may stand between an image's name and the word, as in ``x_lesion_mask.png``."""

SUFFIXES = re.compile(
    r"\.(dcm|dicom|ima|png|jpe?g|jfif|bmp|dib|gif|webp|jp2|tiff?|nii(\.gz)?|nrrd|mha|mhd)", re.IGNORECASE
)
GAP = r"[ _.\-+]+"
WORDS = "|".join(
    sorted((*MASK_WORDS, *OTHERS, *SAME, "ground[ _.-]truth"), key=lambda word: -len(word))  # the longest first
)
SUFFIX = re.compile(
    rf"(?P<gap>[ _.\-+(\[]*)(?P<word>{WORDS})s?[)\]]?(?:[ _.\-+]*[(\[]?\d{{1,3}}[)\]]?)?$", re.IGNORECASE
)
PREFIX = re.compile(rf"^(?P<word>{WORDS})s?{GAP}", re.IGNORECASE)
FOLDER = re.compile(rf"(?:(?:{QUALIFIERS}){GAP})*(?P<word>{WORDS})s?", re.IGNORECASE)
QUALIFIER = re.compile(rf"{GAP}(?:{QUALIFIERS})$", re.IGNORECASE)


def key_of(name: str) -> str:
    """Return what a name is compared by: neither case nor the form of accents (NFC, NFD) matters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def stem_of(name: str) -> str:
    """Return a file's name without the ending of a picture; a DICOM file may have none, and dots all the same."""
    for start in (name.lower().endswith(".nii.gz") and len(name) - 7, name.rfind(".")):
        if start > 0 and SUFFIXES.fullmatch(name[start:]):
            return name[:start]
    return name


def helped_stems(stem: str) -> Iterator[tuple[str, str]]:
    """Yield the names that an image may have which a file of this name would belong to, each with the helper's word.

    Args:
        stem: the file's name without its ending.

    Example:
        >>> list(helped_stems("normal (1)_mask_2")), list(helped_stems("normal (1)"))
        ([('normal (1)', 'mask')], [])
    """
    if suffix := SUFFIX.search(stem):
        word = _plain(suffix["word"])
        base = stem[: suffix.start()]
        if base and (suffix["gap"] or suffix["word"].lower() in LONG):
            yield base, word
            while (shorter := QUALIFIER.sub("", base)) not in (base, ""):
                base = shorter
                yield base, word
            yield from ((deeper, word) for deeper, _ in helped_stems(base))
    if (prefix := PREFIX.match(stem)) and stem[prefix.end() :]:
        yield stem[prefix.end() :], _plain(prefix["word"])


def is_called_mask(name: str) -> bool:
    """Return whether a file is called as a mask is, and as an image hardly is."""
    return any(word in ("mask", "segmentation", "groundtruth") for _, word in helped_stems(stem_of(name)))


def folder_word(name: str) -> str | None:
    """Return the word of a folder that holds masks or other helpers, such as ``GT`` or ``lesion_masks``; None else."""
    match = FOLDER.fullmatch(name.strip())
    return _plain(match["word"]) if match else None


def _plain(word: str) -> str:
    """Return a word as it is in the lists above."""
    word = re.sub("[ _.-]", "", word.lower())
    return SAME.get(word, word)
