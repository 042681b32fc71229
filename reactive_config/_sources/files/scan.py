"""What the layers consist of at this moment: the files, the directories to watch, and what was skipped.

A scan is brought up to date if it can be: most looks find the same names, and other stats of some files.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Union

from reactive_config._core.delta import Malformed
from reactive_config._core.paths import Path
from reactive_config._formats.registry import SUFFIXES
from reactive_config._sources.files import os_paths
from reactive_config._sources.files.notifiers.base import WatchPlan
from reactive_config._sources.files.read_whole import FileSignature, irregular, unusable
from reactive_config._sources.files.symlinks import SWAP, LinkSwap, PathLookup, PathLookups, SymlinkChain

_GONE = (errno.ENOENT, errno.ENOTDIR)
_NO_DIRECTORY = Malformed("a directory (the source is not optional)", "nothing")
_NO_FILE = Malformed("a file that can be used (the source is not optional)", "a directory without one")
_OPTIONAL = "(or optional=True for the source)"
_NEVER_A_VALUE = Malformed(f"a file in the directory {_OPTIONAL}", "none")
_NO_KNOWN_SUFFIX = Malformed(f"a directory, or a file that ends in {', '.join(sorted(SUFFIXES))}", "another file")
_NEVER_A_DOCUMENT = Malformed(f"a file in the directory that ends in {', '.join(sorted(SUFFIXES))} {_OPTIONAL}", "none")

Listing = Union[frozenset[str], int]
"""The names in a directory, or the errno where it cannot be listed."""


class GivenPath(NamedTuple):
    """One path that was given.

    Attributes:
        number: Its own, from 0.
        text: As given.
        absolute: Against the working directory at the time of construction.
        suffix: Of a single file, lower case; empty for a directory.
        values: Whether each file of the directory is one bare value.
        known: Whether a suffix can be read.
        id: Of the entry at the layer's own path.
        layer: Into the source's layers, which may have several paths.
        stem: Only files with this name, whatever their suffix; empty for all of a directory.
        missing: Says what is missing if the layer must have a file and has none, given the names around it; None if it
            quiet: Whether no note tells that it is not there.
    """

    number: int
    text: str
    absolute: str
    suffix: str
    values: bool
    known: Callable[[str], bool]
    id: str
    layer: int
    stem: str = ""
    missing: Callable[[Listing], Malformed] | None = None
    quiet: bool = False

    def wants(self, name: str) -> bool:
        """Whether a name in the directory can be a file of this layer."""
        return self.selects(name) and _utf8(name) and (self.values or self.known(os_paths.suffix(name)))

    def selects(self, name: str) -> bool:
        """Whether a name in the directory concerns this path at all, so that a note tells if it is skipped."""
        return not _hidden(name) and (not self.stem or (name != self.stem and os_paths.stem(name) == self.stem))

    def resembles(self, name: str) -> bool:
        """Whether a name would be selected without its last suffixes: `production.yaml.bak`."""
        if not self.stem or not name.startswith(f"{self.stem}.") or self.known(os_paths.suffix(name)):
            return False
        first, *more = name[len(self.stem) + 1 :].split(".")
        return bool(more) and self.known(f".{first.lower()}") and not _hidden(name)


class FoundFile(NamedTuple):
    """A file that is there, or that cannot be looked at.

    Attributes:
        id: Of its entry.
        place: Its path as a person knows it.
        number: Of the path that was given.
        layer: Index of its layer.
        mount: Where its document stands in the layer.
        suffix: Its format; empty for a bare value.
        real: Its path without links; empty where it did not resolve.
        signature: From its stat; None where there is none.
        trouble: Why it cannot be a document, as far as the stat tells.
        swap: The `..data` link that leads to it.
    """

    id: str
    place: str
    number: int
    layer: int
    mount: Path
    suffix: str
    real: str
    signature: FileSignature | None
    trouble: Malformed | None
    swap: LinkSwap | None


class Scan(NamedTuple):
    """One look at all layers.

    Attributes:
        files: Id to file.
        fresh: Those that this look asked for; the others are as they were.
        plan: The directories whose changes matter.
        skipped: Sentences for the notes.
        blind: Numbers of paths whose directory cannot be listed, or has lost all of its files and must not: what it
            held is not known to be gone for good.
        swaps: The directories of `..data` links, and where each led.
        absent: Index of a layer to what it lacks, if it has no file and nobody knew one in it.
        homes: The number of a path to the directory in which its names are looked up, or in which the way ended.
        unfinished: Directories of `..data` links whose names do not all have their own link yet.
        lookups: Every name that was looked up.
        listings: Every directory that was listed.
        unknown: The files among the skipped that have no known suffix.
    """

    files: dict[str, FoundFile]
    fresh: dict[str, FoundFile]
    plan: WatchPlan
    skipped: list[str]
    blind: set[int]
    swaps: dict[str, LinkSwap]
    homes: dict[int, str]
    absent: dict[int, Malformed]
    unfinished: set[str]
    lookups: PathLookups
    listings: dict[str, Listing]
    unknown: list[str]

    def home(self, number: int) -> FileSignature | None:
        """A mark of the home of a path. While it stays, what is not there was not there."""
        status = self.lookups.status(self.homes[number]).status
        return FileSignature.of(status) if status else None


def scan(layers: Sequence[GivenPath], tracked: Callable[[str], bool], needed: Collection[int] = ()) -> Scan:
    """Look at everything once; all paths see one state of every link.

    Args:
        layers: What to look at.
        tracked: Whether an id was a file before: a directory in its place is then an error, and skipped otherwise.
        needed: Numbers of directory layers that have files in force and must not be without one: then the
            directory is at fault as a whole, and its files do not go one by one.
    """
    scanner = _Scanner(tracked, needed)
    for layer in layers:
        if layer.suffix:
            scanner.file(layer)
        else:
            scanner.directory(layer)
    scanner.require(layers)
    return scanner.result


class _Scanner:
    def __init__(self, tracked: Callable[[str], bool], needed: Collection[int]) -> None:
        self._tracked, self._needed = tracked, needed
        self._lookups = PathLookups()
        files: dict[str, FoundFile] = {}
        self.result = Scan(files, files, WatchPlan(), [], set(), {}, {}, {}, set(), self._lookups, {}, [])

    def file(self, layer: GivenPath) -> None:
        chain = self._follow(layer.absolute)
        self._home(layer, chain)
        if chain.error in _GONE:
            self.result.skipped.append(f"{layer.text} is not there")
            self.result.absent[layer.layer] = _never("a file", layer)
        self._add(layer, chain, layer.id, (), layer.suffix)

    def directory(self, layer: GivenPath) -> None:
        chain = self._follow(layer.absolute)
        self._home(layer, chain)
        if chain.error in _GONE:
            if not layer.quiet:
                self.result.skipped.append(f"{layer.text} is not there")
            self._lost(layer, _NO_DIRECTORY, _never("a directory", layer))
        elif chain.status is None or chain.real is None:
            self._blind(layer, unusable(chain.error, "directory"))
        elif not stat.S_ISDIR(chain.status.st_mode):
            self._blind(layer, _NO_KNOWN_SUFFIX)
        else:
            self._list(layer, chain.real, chain.status)

    def require(self, layers: Sequence[GivenPath]) -> None:
        """Where none of a layer's paths has a file, say what is missing, and keep what the layer had."""
        for first in layers:
            if first.missing is None or any(found.layer == first.layer for found in self.result.files.values()):
                continue
            trouble = first.missing(self._names(first.absolute))
            self._blind(first, trouble)
            self.result.blind.update(layer.number for layer in layers if layer.layer == first.layer)

    def _home(self, layer: GivenPath, chain: SymlinkChain) -> None:
        above = chain.status is None or bool(layer.suffix)
        self.result.homes[layer.number] = chain.steps[-1][0] if above and chain.steps else chain.real or os.sep

    def _list(self, layer: GivenPath, real: str, status: os.stat_result) -> None:
        self.result.plan.watch_all(real, layer.wants, status)
        names = self._names(real)
        if isinstance(names, int):
            if names not in _GONE:
                self._blind(layer, unusable(names, "directory"))
            else:  # since the lookup
                self._lost(layer, _NO_DIRECTORY, _never("a directory", layer))
            return
        before = len(self.result.files)
        for name in sorted(names, key=os.fsencode):
            if layer.selects(name):
                self._entry(layer, real, name)
            elif layer.resembles(name):
                self._skip_unknown(os_paths.join(layer.text, os_paths.shown(name)))
        if SWAP in names:
            self._check_swap(real, names)
        if len(self.result.files) == before:
            self._lost(layer, _NO_FILE, _NEVER_A_VALUE if layer.values else _NEVER_A_DOCUMENT)

    def _names(self, directory: str) -> Listing:
        known = self.result.listings
        if directory not in known:
            known[directory] = listing(directory)
        return known[directory]

    def _entry(self, layer: GivenPath, real: str, name: str) -> None:
        shown = os_paths.join(layer.text, os_paths.shown(name))
        if not _utf8(name):
            self.result.skipped.append(f"{shown} is skipped: its name is not UTF-8")
            return
        id = os_paths.join(layer.text, name)  # noqa: A001  the contract's word
        chain = self._resolve(os_paths.join(real, name))
        if chain.status and stat.S_ISDIR(chain.status.st_mode) and not self._tracked(id):
            self.result.skipped.append(f"{shown} is skipped: a directory")
        elif not layer.wants(name):
            self._skip_unknown(shown)
        else:
            self._add(layer, chain, id, (name,) if layer.values else (), "" if layer.values else os_paths.suffix(name))

    def _skip_unknown(self, shown: str) -> None:
        self.result.skipped.append(f"{shown} is skipped: no known suffix")
        self.result.unknown.append(shown)

    def _resolve(self, full: str) -> SymlinkChain:
        """A name in a directory without links: the way to it is known."""
        status, target, error = self._lookups.status(full)
        return self._follow(full) if target else SymlinkChain((), None if error else full, status, error, None)

    def _follow(self, path: str) -> SymlinkChain:
        chain = self._lookups.resolve(path)
        for directory, name in chain.steps:
            self.result.plan.watch_name(directory, name, self._lookups.status(directory).status)
        if chain.swap is not None:
            self.result.swaps[chain.swap.directory] = chain.swap
        return chain

    def _add(self, layer: GivenPath, chain: SymlinkChain, id: str, mount: Path, suffix: str) -> None:  # noqa: A002
        if chain.error in _GONE:
            return
        real, signature, trouble = chain.real or "", None, None
        place = layer.text if id == layer.id else id
        if chain.status is None:
            trouble = unusable(chain.error)
        else:
            signature = FileSignature.of(chain.status)
            if not stat.S_ISREG(chain.status.st_mode):
                trouble = irregular(chain.status.st_mode)
        if real:
            self.result.plan.watch_file(*os_paths.split(real))
        self.result.files[id] = FoundFile(
            id, place, layer.number, layer.layer, mount, suffix, real, signature, trouble, chain.swap
        )

    def _lost(self, layer: GivenPath, trouble: Malformed, never: Malformed) -> None:
        """A directory has no file.

        Args:
            layer: The directory.
            trouble: What it lacks if it had files.
            never: What it lacks otherwise.
        """
        if layer.number in self._needed:
            self._blind(layer, trouble)
        else:
            self.result.absent[layer.layer] = never

    def _blind(self, layer: GivenPath, trouble: Malformed) -> None:
        self.result.blind.add(layer.number)
        place = layer.id if layer.stem else layer.text
        self.result.files[layer.id] = FoundFile(
            layer.id, place, layer.number, layer.layer, (), "", "", None, trouble, None
        )

    def _check_swap(self, real: str, names: frozenset[str]) -> None:
        """A mount's own links are made one by one after `..data` was replaced: wait for those still to come."""
        self._follow(os_paths.join(real, SWAP))
        behind = self._names(os_paths.join(real, SWAP))
        if isinstance(behind, int):
            return  # a dangling `..data` shows in every file behind it
        if any(name not in names and not _hidden(name) for name in behind):
            self.result.unfinished.add(real)


def listing(directory: str) -> Listing:
    """What a directory holds now."""
    try:
        return frozenset(os_paths.names(directory))
    except OSError as error:
        return error.errno or errno.EIO


def _never(what: str, layer: GivenPath) -> Malformed:
    """That nothing is there, and where that is: often the program was started in another directory."""
    return Malformed(f"{what} {_OPTIONAL}", f"none at {os_paths.shown(layer.absolute)}")


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.endswith("~")


def _utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # a surrogate stands for a byte that is not UTF-8
        return False
    return True


def again(seen: Scan) -> Scan | None:
    """What `scan` would give now, at a third of its price.

    It asks the file system all that the scan asked: every listing and every name, each once. What a scan is made of
    besides the stats of files follows from names, kinds, links and which directories these are. Files
    whose stat is as it was are the same objects as before.

    Returns:
        None if any of that changed: scan anew.
    """
    for directory, names in seen.listings.items():
        if listing(directory) != names:
            return None
    lookups = PathLookups()
    for path, before in seen.lookups.known.items():
        if not _alike(before, lookups.status(path)):
            return None
    files = {id: _now(found, lookups) for id, found in seen.files.items()}  # noqa: A001  the contract's word
    return seen._replace(files=files, fresh=files, lookups=lookups)


def again_where(seen: Scan, touched: set[str]) -> Scan | None:
    """The same, where nothing happened but to these paths: a save among a thousand files costs little more than alone.

    Args:
        seen: The scan before.
        touched: Paths without links.

    Returns:
        None unless each of them is a file that was found, and still is one: any other name may lead elsewhere.
    """
    files = {id: found for id, found in seen.files.items() if found.real in touched}  # noqa: A001
    if touched != {found.real for found in files.values()}:
        return None
    lookups = PathLookups()
    for path in touched:
        if not _alike(seen.lookups.known[path], lookups.status(path)):
            return None
    for id, found in files.items():  # noqa: A001
        files[id] = _now(found, lookups)
    lookups.known = seen.lookups.known | lookups.known
    return seen._replace(files=seen.files | files, fresh=files, lookups=lookups)


def _alike(before: PathLookup, now: PathLookup) -> bool:
    """Whether a name leads on as it did."""
    if before.status is None or now.status is None:
        return before.error == now.error
    old, new = before.status, now.status
    if old.st_mode != new.st_mode and stat.S_IFMT(old.st_mode) != stat.S_IFMT(new.st_mode):
        return False
    if stat.S_ISDIR(new.st_mode):  # one made anew must be watched anew
        return old.st_ino == new.st_ino and old.st_dev == new.st_dev
    return before.target == now.target


def _now(found: FoundFile, lookups: PathLookups) -> FoundFile:
    status = lookups.status(found.real).status if found.signature else None
    if status is None:
        return found
    signature = FileSignature.of(status)
    return found if signature == found.signature else found._replace(signature=signature)
