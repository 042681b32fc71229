"""What can go wrong with etcd, by what must be done about it. Room-internal: sources turn these into states.

EtcdError
├── Unavailable        try again, elsewhere or later
│   ├── Unreachable    nobody accepts connections there
│   ├── Late           no answer before the deadline: it may be dead, or the link slow
│   └── TooLarge       an answer or request above a limit: ask for less
├── AuthOff            the cluster takes no users: go on without a token
├── Unauthenticated    the token is not (or no longer) known: get a new one, once
├── Refused            a person is needed: credentials, permissions
│   ├── BadLogin       wrong user or password, and every try costs the server 100 ms of a core
│   └── TLSTrouble     certificates; another endpoint may have better ones
├── Compacted          the history asked for is gone: list again
└── FutureRevision     the revision asked for does not exist yet: another, older history
"""

from __future__ import annotations

from reactive_config.errors import ReactiveConfigError

NEEDS_USER = "authentication is on; username= and password= are needed"

UNKNOWN_CA = "its certificate does not descend from the given CA"

NO_CA = "its certificate does not descend from a CA that gRPC knows, and no other CA was given: tls=TLS(ca=...)"


class EtcdError(ReactiveConfigError):
    """The root; its text is a reason for a person and holds no key's value, password or token."""


class Unavailable(EtcdError):
    """Nothing is wrong that time does not heal."""


class Unreachable(Unavailable):
    """Connections are refused."""


class DeadlinePassed(Unavailable):
    """The deadline has passed."""


class TooLarge(Unavailable):
    """The answer does not fit the receive limit, or the request has more parts than the server takes."""


class AuthOff(EtcdError):
    """Authentication is not enabled."""


class Unauthenticated(EtcdError):
    """The token has expired, was forgotten by a restarted server, or is older than the permissions."""


class RequestRefused(EtcdError):
    """The cluster answered, and the answer is no."""


class BadLogin(RequestRefused):
    """Wrong user or password."""


class TLSTrouble(RequestRefused):
    """No trust between the two ends; about one endpoint, not the cluster."""


class Compacted(EtcdError):
    """The revision is older than what the server keeps."""


class FutureRevision(EtcdError):
    """The revision is newer than the server's newest."""
