"""The command line: ``python -m assistant check`` and ``python -m assistant healthcheck``."""

import argparse
import sys
import urllib.error
import urllib.request


def check() -> int:
    """Read all settings; print what is wrong with them, in one line. Returns the exit status."""
    from assistant.settings import SettingsError, load_settings

    try:
        load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    print("all settings are good")
    return 0


def healthcheck(url: str) -> int:
    """Ask ``url`` whether the assistant is ready. Returns the exit status."""
    try:
        # The address is this container's own: a proxy from the environment must not be asked.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5) as response:
            return 0 if response.status == 200 else 1
    except urllib.error.HTTPError as error:
        print(
            f"{url}: HTTP {error.code}: {error.read(500).decode('utf-8', 'replace').strip()}", file=sys.stderr
        )
    except OSError as error:
        print(f"{url}: {error}", file=sys.stderr)
    return 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m assistant", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="check all settings and secrets, start nothing")
    health = commands.add_parser("healthcheck", help="exit 0 when the running assistant is ready")
    health.add_argument(
        "--url", default="http://127.0.0.1:8000/readyz", help="what to ask (default: %(default)s)"
    )
    chosen = parser.parse_args(arguments)
    return check() if chosen.command == "check" else healthcheck(chosen.url)


if __name__ == "__main__":
    sys.exit(main())
