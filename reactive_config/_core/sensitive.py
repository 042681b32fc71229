"""What sounds like a secret: names, by whole words, and passwords inside of URLs."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from reactive_config._core.secret import HIDDEN


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ANYWHERE = _set(
    "passwd password passwords passphrase passphrases passcode pwd secret secrets token tokens credential credentials"
    " creds dsn jwt authorization apikey apikeys accesskey accesskeys connectionstring connectionstrings privatepem"
    " privatecert masterauth sharedaccesssignature mnemonic otpseed recoverycode recoverycodes backupcode backupcodes"
    " dockerconfigjson idrsa"
)
"""Words that make a name sensitive wherever in it they stand, also in two parts (`api_key`)."""

LAST = _set(
    "pass pw auth oauth key keys pin pins otp totp cert certs certificate certificates pem cookie cookies salt pepper"
    " hmac bearer psk pat sas signature keytab kubeconfig"
)
"""Words that make it sensitive as its last one: `db_pass` and `proxy-auth`, but not `pass_through` and `auth_user`."""

ENDINGS = (
    "password", "passwd", "passphrase", "secret", "token", "credentials", "dsn", "apikey", "accesskey", "secretkey",
    "privatekey", "masterkey", "sessionkey", "authkey", "hmackey", "aeskey", "rsakey",
)  # fmt: skip
"""Words that are often written in one with the word before: `pgpassword`, `clientsecret`."""

LAST_ENDINGS = ("pass", "pw")
"""The same for the last word alone: `requirepass`, `bindpw`."""

ENGLISH = _set(
    "bypass compass encompass surpass trespass overpass underpass allpass bandpass highpass lowpass multipass prepass"
)
"""Words that end so and are none."""

ORDINARY_KEYS = _set(
    "sort order group partition primary foreign unique cache routing shard index row lookup hot public object s label"
    " topology hash range dedup dedupe idempotency message join natural required allowed kms"
)
"""Words before `key` or `keys` that say it opens nothing; digits are no words, so `s3_key` has an `s`."""

ORDINARY_PINS = _set("led gpio tx rx cs")
"""Words before `pin` or `pins` that say it is one of a chip."""

COUNTED = _set("max min num number total input output prompt completion context stop special eos pad new")
"""Words before `tokens` that say they are a language model's."""

VOCABULARY = _set("eos bos pad unk")
"""Words before `token` that say it is a language model's."""

MEASURES = _set(
    "count counts limit limits bucket buckets rate rates size length ttl timeout lifetime expiry age minutes file path"
    " dir type url uri endpoint name issuer audience algorithm mode policy header provider ref enabled hashers"
    " validators store"
)
"""Last words of names that say something about a secret, or where it stands, and not the secret itself."""

_ORDINARY = {
    "key": ORDINARY_KEYS, "keys": ORDINARY_KEYS, "pin": ORDINARY_PINS, "pins": ORDINARY_PINS,
    "token": VOCABULARY, "tokens": COUNTED,
}  # fmt: skip
"""What a word before makes harmless."""

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
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if before in _ORDINARY.get(last, ()):
        words.pop()
    elif last in LAST or (last.endswith(LAST_ENDINGS) and last not in ENGLISH):
        return True
    found = [*words, *(one + other for one, other in pairwise(words))]
    return any(word in ANYWHERE or word.endswith(ENDINGS) for word in found)


_SCHEME = re.compile(r"(?:^|(?<=[\s,;|\"'<(\[{]))[A-Za-z][A-Za-z0-9+.-]{0,40}://")
"""Where another URL begins in a text, as in a list of them. The first may have something before it: `jdbc:`."""

_NO_USER = re.compile(r"[\s/?#]")
_PORT = re.compile(r"\d+/")


def hide_passwords(text: str) -> str:
    """A text with `scheme://user:password@` as `scheme://user:***@`, in time linear in its length.

    A password need not be escaped: it goes up to the last `@` of its line, or before the next URL. What it may be part
    of is hidden with it.
    """
    if "://" not in text or "@" not in text:
        return text
    return "\n".join(map(_hide_in_line, text.split("\n")))


def _hide_in_line(line: str) -> str:
    starts = [0, *(found.start() for found in _SCHEME.finditer(line) if found.start()), len(line)]
    return "".join(_hide_in_url(line[start:end]) for start, end in pairwise(starts))


def _hide_in_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    user, colon, after = rest.partition(":")
    password, at, host = after.rpartition("@")
    if not (separator and colon and at) or _NO_USER.search(user) or user.startswith("["):
        return text
    if password.endswith("/") and _PORT.match(password):  # a path after a port: `https://host:4873/@scope`
        return text
    return f"{scheme}{separator}{user}:{HIDDEN}@{host}"
