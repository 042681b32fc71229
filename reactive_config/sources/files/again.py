"""A scan brought up to date: most looks find the same names, and other stats of some files."""

from __future__ import annotations

import stat

from reactive_config.sources.files.chain import Lookup, Lookups
from reactive_config.sources.files.reading import Signature
from reactive_config.sources.files.scanning import Found, Scan, listing


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
    lookups = Lookups()
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
    lookups = Lookups()
    for path in touched:
        if not _alike(seen.lookups.known[path], lookups.status(path)):
            return None
    for id, found in files.items():  # noqa: A001
        files[id] = _now(found, lookups)
    lookups.known = seen.lookups.known | lookups.known
    return seen._replace(files=seen.files | files, fresh=files, lookups=lookups)


def _alike(before: Lookup, now: Lookup) -> bool:
    """Whether a name leads on as it did."""
    if before.status is None or now.status is None:
        return before.error == now.error
    old, new = before.status, now.status
    if old.st_mode != new.st_mode and stat.S_IFMT(old.st_mode) != stat.S_IFMT(new.st_mode):
        return False
    if stat.S_ISDIR(new.st_mode):  # one made anew must be watched anew
        return old.st_ino == new.st_ino and old.st_dev == new.st_dev
    return before.target == now.target


def _now(found: Found, lookups: Lookups) -> Found:
    status = lookups.status(found.real).status if found.signature else None
    if status is None:
        return found
    signature = Signature.of(status)
    return found if signature == found.signature else found._replace(signature=signature)
