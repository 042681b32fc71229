"""The command line. Needs the extra `cli`: cyclopts and rich."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from reactive_config._extras import install


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `reactive-config` and exit with its code: 0 fine, 1 content or a source is at fault, 2 usage.

    Args:
        arguments: Without the program's name; those of the process unless given.
    """
    try:
        import cyclopts  # noqa: F401
        import rich  # noqa: F401
    except ImportError as error:
        print(f"reactive-config needs {error.name}: {install('cli')}", file=sys.stderr)
        sys.exit(2)
    from reactive_config._cli.app import run

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
