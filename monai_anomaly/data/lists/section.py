# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The sections of a data set."""

from __future__ import annotations

from monai.utils import StrEnum

__all__ = ["Section"]


class Section(StrEnum):
    """A section of a data set that can be asked for; see :func:`~monai_anomaly.data.lists.datalist.load_datalist`.

    All but ``NORMALS``, which is made of training and validation, can be listed.
    """

    TRAINING = "training"
    VALIDATION = "validation"
    TEST = "test"
    INFERENCE = "inference"
    NORMALS = "normals"
    UNLABELED = "unlabeled"

    @classmethod
    def of(cls, name: str) -> Section:
        """Return the section of a name, as configurations give it.

        Raises:
            ValueError: for the name of no section.
        """
        try:
            return cls(name)
        except ValueError:
            raise ValueError(f"section must be one of {', '.join(cls)}, got {name!r}.") from None
