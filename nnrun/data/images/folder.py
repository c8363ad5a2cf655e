"""The files of images in a folder that has a sub-folder for each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from nnrun.characters import escaped
from nnrun.data.images.decode import FORMATS, is_image
from nnrun.data.readers.opening import disk_errors, fault_of
from nnrun.errors import DataError

PARTS = ("train", "test")
_VALIDATION = ("val", "valid", "validation", "dev")
_LAYOUT = "a folder of images has a sub-folder for each class"


@dataclass
class Skipped:
    """What was not read: counts of hidden entries, of folders too deep, and of files by ending."""

    hidden: int = 0
    folders: int = 0
    endings: Counter[str] = field(default_factory=Counter)

    def words(self) -> str:
        """One sentence; nothing if all was read."""
        named = [f"{count:,} {ending}" for ending, count in sorted(self.endings.items())]
        found = [f"files that are no images ({', '.join(named)})"] if named else []
        found += [f"{self.hidden:,} hidden"] * (self.hidden > 0)
        if self.folders:
            s = "s" * (self.folders != 1)
            found.append(f"{self.folders:,} folder{s} within those of classes")
        return f"Not read: {'; '.join(found)}." if found else ""


@dataclass(frozen=True)
class ImageFiles:
    """Files by part and class, in the order of their names; `test` is empty if there is no split.

    `classes` are names of folders, in no particular order yet.
    """

    root: Path
    train: list[tuple[Path, str]]
    test: list[tuple[Path, str]]
    skipped: Skipped


def find_images(root: Path) -> ImageFiles:
    """The images of a folder with sub-folders for classes, or with `train` and `test` of such.

    Links that lead out of the folder are refused, so that no file elsewhere is taken for one of it.

    Raises: DataError if it is no such folder; NnrunError if the disk fails.
    """
    with disk_errors(root):
        if (fault := fault_of(root, folder=True)) is not None:
            raise DataError(f"{root} {fault}")
        listing = _Listing(root)
        folders, files = listing.entries(root)
        by_name = {folder.name: folder for folder in folders}
        if not folders:
            none = f", and its {len(files):,} images are in none" if files else ""
            raise DataError(f"{root}: has no sub-folders; {_LAYOUT}{none}")
        listing.refuse(files)
        if set(PARTS) <= by_name.keys() and listing.holds_folders(by_name["train"]):
            _refuse_others(root, by_name)
            train, test = (listing.of_classes(by_name[part]) for part in PARTS)
        else:
            train, test = listing.by_class(folders), []
    return ImageFiles(root, train, test, listing.skipped)


def images_within(path: Path) -> list[Path]:
    """A file itself, or the images of a folder and of those in it, in the order of their names.

    Raises: DataError if there is none; NnrunError if the disk fails.
    """
    with disk_errors(path):
        if not path.is_dir():
            return [path]
        found = [*_Listing(path).within(path)]
    if not found:
        raise DataError(f"{path}: has no images ({', '.join(FORMATS)})")
    return found


class _Listing:
    """Lists folders below a root, and counts what is skipped."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.resolved = root.resolve()
        self.skipped = Skipped()

    def entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """The visible sub-folders and images of a folder, each by name."""
        folders, files = [], []
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                self.skipped.hidden += 1
                continue
            _check_name(path)
            if path.is_symlink():
                self._check_link(path)
            if path.is_dir():
                folders.append(path)
            elif is_image(path.name):
                files.append(path)
            else:
                self.skipped.endings[path.suffix.lower() or "without ending"] += 1
        return folders, files

    def _check_link(self, path: Path) -> None:
        """Refuse links to folders, which may lead in circles, and those that lead elsewhere."""
        if path.is_dir():
            raise DataError(f"{path}: is a link to a folder; put the folder itself there")
        with suppress(RuntimeError):  # a link to itself, which is said when it is opened
            if not path.resolve().is_relative_to(self.resolved):
                raise DataError(f"{path}: is a link out of {self.root}; put the file itself there")

    def within(self, folder: Path) -> Iterator[Path]:
        """The images of a folder and of all below it."""
        waiting = [folder]
        while waiting:
            folders, files = self.entries(waiting.pop())
            yield from files
            waiting += reversed(folders)

    def holds_folders(self, folder: Path) -> bool:
        """Whether there are folders, and no images, in a folder."""
        folders, files = _Listing(self.root).entries(folder)
        return bool(folders) and not files

    def of_classes(self, folder: Path) -> list[tuple[Path, str]]:
        folders, files = self.entries(folder)
        self.refuse(files)
        return self.by_class(folders)

    def by_class(self, folders: Sequence[Path]) -> list[tuple[Path, str]]:
        """The images of these folders, each with the folder's name."""
        return [(file, folder.name) for folder in folders for file in self._of(folder)]

    def refuse(self, files: Sequence[Path]) -> None:
        """Refuse images that are in no folder of a class."""
        if files:
            more = f" and {len(files) - 1:,} more are" if len(files) > 1 else " is"
            raise DataError(f"{files[0]}{more} in no sub-folder; {_LAYOUT}")

    def _of(self, folder: Path) -> Iterator[Path]:
        folders, files = self.entries(folder)
        self.skipped.folders += len(folders)
        if not files:
            known = ", ".join(FORMATS)
            raise DataError(f"{folder}: has no images; {_LAYOUT}, with files of {known}")
        yield from files


def _refuse_others(root: Path, by_name: dict[str, Path]) -> None:
    others = [name for name in by_name if name not in PARTS]
    if not others:
        return
    advice = "move it away"
    if others[0].lower() in _VALIDATION:
        advice = "validation_size takes such rows out of train; move its images there"
    raise DataError(f"{root / others[0]}: stands beside train and test; {advice}")


def _check_name(path: Path) -> None:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise DataError(f"{escaped(ascii(path))}: its name is no text in UTF-8") from None
