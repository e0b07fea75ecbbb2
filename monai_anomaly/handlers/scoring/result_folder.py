# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Results that are made in a folder of their own and take the place of the earlier ones when they are complete."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from monai_anomaly.utils.atomic import sync_folder

__all__ = ["ResultFolder"]

_EARLIER = "earlier"


class ResultFolder:
    """The results of one run in an output folder: files, folders of files, and one file that marks them as complete.

    A run writes them into ``<output_dir>/<word>-<number>``. :meth:`publish` moves them into the output folder by
    renaming, the marker last, after it has moved those of the earlier run out of the way, their marker first. So

    * a run that fails, is killed or finds the disk full leaves the earlier results where they were;
    * where the marker is in the output folder, all that stands beside it is of the marker's run;
    * a kill within the few renames leaves an output folder without a marker and both runs' files on the disk; the next
      run's :meth:`recover` finishes the renames. An error within them takes those that were done back.

    Args:
        output_dir: the output folder, absolute.
        marker: name of the file that says that the results are complete.
        files: names of the other files.
        folders: names of folders of files.
        is_ours: says of a name in such a folder whether a run made it; what others put there stays.
        word: begins the name of a run's own folder.
    """

    def __init__(
        self,
        output_dir: Path,
        marker: str,
        *,
        files: Sequence[str] = (),
        folders: Sequence[str] = (),
        is_ours: Callable[[str], bool] = lambda name: True,
        word: str = "partial",
    ) -> None:
        self.output_dir, self.marker, self.files, self.folders = output_dir, marker, tuple(files), tuple(folders)
        self.is_ours = is_ours
        self.path = output_dir
        self._partial = re.compile(rf"{re.escape(word)}-(\d+)")
        self._word = word

    def partials(self) -> list[Path]:
        """Return the folders of runs that did not come to their end, the latest first."""
        if not self.output_dir.is_dir():
            return []
        found = [(match, path) for path in self.output_dir.iterdir() if (match := self._partial.fullmatch(path.name))]
        return [path for match, path in sorted(found, key=lambda pair: int(pair[0][1]), reverse=True) if path.is_dir()]

    def recover(self) -> None:
        """Finish what a kill cut short when results were complete.

        Raises:
            RuntimeError: when the results cannot be moved.
        """
        for path in reversed(self.partials()):
            if (path / self.marker).is_file():
                self._move_in(path)
            if (path / self.marker).is_file() or (path / _EARLIER).is_dir():
                self._clear(path)

    def begin(self) -> Path:
        """Make the run's own folder, with the folders in it.

        Raises:
            ValueError: when one of the folders in the output folder is a link that leads elsewhere.
        """
        self.output_dir.mkdir(parents=True, exist_ok=True)
        for name in self.folders:
            path = self.output_dir / name
            if path.is_dir() and not path.resolve().is_relative_to(self.output_dir.resolve()):
                raise ValueError(f"'{path}' is a link out of the output folder; remove it or take another output_dir.")
        numbers = [int(path.name.rpartition("-")[2]) for path in self.partials()]
        self.path = self.output_dir / f"{self._word}-{max(numbers, default=0) + 1}"
        for name in self.folders:
            (self.path / name).mkdir(parents=True)
        self.path.mkdir(exist_ok=True)
        return self.path

    def publish(self) -> None:
        """Put the results into the output folder, in place of the earlier ones, and remove what other runs left.

        All of them must be there and safe on the disk by now, what the run did not want as empty folders.

        Raises:
            RuntimeError: when they cannot be moved; the earlier results are where they were, these in their own folder.
        """
        self._move_in(self.path)
        for path in self.partials():
            self._clear(path)

    def discard(self) -> None:
        """Remove what runs left that did not come to their end."""
        for path in self.partials():
            self._clear(path)

    def _move_in(self, path: Path) -> None:
        earlier, names, done = path / _EARLIER, (*self.folders, *self.files), list[tuple[Path, Path]]()
        earlier.mkdir(exist_ok=True)
        replaced = [name for name in (self.marker, *names) if os.path.lexists(path / name)]  # not moved by a run before
        moves = [(self.output_dir / name, earlier / name) for name in replaced]
        moves += [(path / name, self.output_dir / name) for name in (*names, self.marker)]
        try:
            for source, target in moves:
                if os.path.lexists(source):
                    os.rename(source, target)
                    done.append((source, target))
                    if source.name == self.marker:
                        sync_folder(self.output_dir)  # gone before anything else goes, there after all else is
        except OSError as error:
            for source, target in reversed(done):
                with suppress(OSError):
                    os.rename(target, source)
            raise RuntimeError(
                f"the results cannot take the place of the earlier ones ({error.strerror}); close what has these open. "
                f"They are complete in '{path}', and the next run in this folder moves them first."
            ) from error

    def _clear(self, path: Path) -> None:
        """Remove a run's own folder; what is in the earlier run's folders and not of a run goes back."""
        for name in self.folders:
            self._give_back(path / _EARLIER / name, self.output_dir / name)
            with suppress(OSError):
                (self.output_dir / name).rmdir()  # an empty one was not wanted
        shutil.rmtree(path)

    def _give_back(self, earlier: Path, folder: Path) -> None:
        if earlier.is_symlink() or not earlier.is_dir():
            return
        for path in earlier.iterdir():
            if not self.is_ours(path.name):
                folder.mkdir(exist_ok=True)
                os.rename(path, folder / path.name)
