#!/usr/bin/env python
"""Django's commands, each with the database and broker that it needs.

A command that needs them borrows those of a running `up`, or gets its own for as long as it runs.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 -- an older Python is to get this line, not a syntax error
    sys.exit(
        "mixcv needs Python 3.11 or newer; this is " + sys.version.split()[0] + " (" + sys.executable + ")."
    )

# These bring their own services, or need none.
ALONE = {"up", "demo", "help", "version", "check", "collectstatic", "compilemessages", "diffsettings"}
ALONE |= {"findstatic", "makemessages", "spectacular", "startapp", "startproject", "test"}


def needs_services(arguments: list[str]) -> bool:
    """Whether the command named by `arguments` talks to the database or the broker."""
    command = arguments[0] if arguments else "help"
    asks_for_help = any(argument in {"-h", "--help", "--version"} for argument in arguments)
    return not (command.startswith("-") or command in ALONE or asks_for_help)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mixcv.settings")
    try:
        from django.core.management import execute_from_command_line

        from mixcv.kernel.services.embedded import ensure_services, make_home
        from mixcv.kernel.services.errors import ServiceFailed
        from mixcv.kernel.services.paths import home_from_env
    except ModuleNotFoundError as error:
        sys.exit(f"The package {error.name} is missing. `make setup` installs all that is needed into .venv.")
    try:
        # Before the settings load, which keep the secret key in there.
        make_home(home_from_env())
        if not needs_services(sys.argv[1:]):
            execute_from_command_line(sys.argv)
            return
        with ensure_services(home_from_env(), command=sys.argv[1]):
            execute_from_command_line(sys.argv)
    except ServiceFailed as error:
        sys.exit(f"{error.message}")


if __name__ == "__main__":
    main()
