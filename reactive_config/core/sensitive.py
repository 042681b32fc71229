"""Names that sound like a secret's.

A name is judged by its words: it is split at everything that is no letter, and at camelCase. `docs/guide.md`
("Secrets") has the list for people; a test compares the two.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ANYWHERE = _set(
    "passwd password passwords passphrase passphrases passcode pwd secret secrets token tokens credential credentials"
    " creds private dsn jwt authorization apikey apikeys accesskey accesskeys connectionstring"
)
"""Words that make a name sensitive wherever in it they stand, also in two parts (`api_key`)."""

LAST = _set(
    "pass pw auth oauth key keys pin pins otp totp cert certs certificate certificates pem cookie cookies salt hmac"
    " bearer"
)
"""Words that make it sensitive as its last one: `db_pass` and `proxy-auth`, but not `pass_through` and `auth_url`."""

ENDINGS = ("password", "passwd", "passphrase", "secret", "token", "credentials", "apikey", "accesskey", "dsn")
"""Words that are often written in one with the word before: `pgpassword`, `clientsecret`."""

ORDINARY_KEYS = _set(
    "sort order group partition primary foreign unique cache routing shard index row lookup hot public"
)
"""Words before `key` or `keys` that say it opens nothing."""

COUNTED = _set("max min num number total input output prompt completion context")
"""Words before `tokens` that say they are counted."""

MEASURES = _set(
    "count counts limit limits bucket buckets rate rates size length ttl timeout lifetime expiry age file path"
)
"""Last words of names that say something about a secret, or where it stands, and not the secret itself."""

_WORDS = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LONGEST = 200  # characters of a name that are looked at from either end, so that no name costs much


def is_sensitive(name: str) -> bool:
    """Whether a name by itself suggests a secret; each part of a dotted one counts."""
    return _is_sensitive(name if len(name) <= 2 * _LONGEST else f"{name[:_LONGEST]} {name[-_LONGEST:]}")


@lru_cache(maxsize=4096)
def _is_sensitive(name: str) -> bool:
    return any(map(_sounds, name.split(".")))


def _sounds(part: str) -> bool:
    words = [word.lower() for run in _WORDS.findall(part) for word in _CAMEL.split(run)]
    if not words or words[-1] in MEASURES:
        return False
    before = words[-2] if len(words) > 1 else ""
    if words[-1] in LAST and not (words[-1] in ("key", "keys") and before in ORDINARY_KEYS):
        return True
    if words[-1] == "tokens" and before in COUNTED:
        words.pop()
    found = [*words, *(one + other for one, other in pairwise(words))]
    return any(word in ANYWHERE or word.endswith(ENDINGS) for word in found)
