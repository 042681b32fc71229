"""Which environment variables Kubernetes sets in every container, for each service of its namespace."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"([A-Z0-9_]+?)_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
_URL = re.compile(r"(?:tcp|udp|sctp)://[0-9A-Fa-f.:\[\]]+")
_OTHER = re.compile(r"tcp|udp|sctp|[0-9]+|[0-9A-Fa-f.:]+")
_LONGEST = 300  # characters of a name or a text that it sets


def set_by_kubernetes(variable: str, text: str) -> str:
    """That Kubernetes sets a variable to such a text, in words, with the service's name; empty if it does not."""
    if len(variable) > _LONGEST or len(text) > _LONGEST:
        return ""
    found = _NAME.fullmatch(variable)
    if found is None:
        return ""
    is_url = variable == f"{found[1]}_PORT" or variable.endswith(("_TCP", "_UDP", "_SCTP"))
    if not (_URL if is_url else _OTHER).fullmatch(text):
        return ""
    return f"as Kubernetes sets for a service named {found[1].lower().replace('_', '-')}"
