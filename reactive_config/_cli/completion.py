"""`completion`: a script that lets a shell complete commands, options, files and paths of the configuration.

cyclopts makes the scripts. For PATH they call this command again, because only it knows the type.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reactive_config._cli.failures import OK
from reactive_config._cli.output import Output
from reactive_config._cli.project import find_project
from reactive_config._cli.type_loading import decoders_reference, load_decoders, load_kind, type_reference

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

_FILES = "COMPREPLY=( $(compgen -f "
"""How cyclopts lets bash complete a file."""


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print a completion script for a shell.

    bash: add `eval "$(reactive-config completion bash)"` to ~/.bashrc.
    zsh: write it to a file `_reactive-config` in a directory of $fpath.
    fish: write it to ~/.config/fish/completions/reactive-config.fish.

    Args:
        shell: Which one.
    """
    from reactive_config._cli.app import make_app

    script = make_app().generate_completion(shell=shell)
    if shell == "bash":
        # So that a directory is followed by a slash, and a space in a name is escaped. bash 3 does not know it.
        script = script.replace(_FILES, f"compopt -o filenames 2>/dev/null; {_FILES}")
    Output().text(script)
    return OK


def path_candidates(context: CompletionContext) -> list[str]:
    """What PATH may be: the paths of the type that the command line, the environment or the project names.

    cyclopts ends it quietly if it raises: a type that cannot be loaded has no paths.
    """
    option = context.get("--type")
    given = None if option is None else option.raw
    leave_out = context.get("--no-project")
    wants_project = given is None and not (leave_out is not None and leave_out.provided)
    project = find_project(Path.cwd()) if wants_project else None
    named = type_reference(given, project)
    if named is None:
        return []
    option = context.get("--decoders")
    decoders = load_decoders(decoders_reference(None if option is None else option.raw, project))

    from reactive_config._cli.type_paths import type_paths

    return type_paths(load_kind(named, decoders))
