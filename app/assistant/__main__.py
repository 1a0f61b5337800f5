"""The command line: ``python -m assistant`` with check, status, capacity, inbox, forget and more."""

import argparse
import os
import sys
import urllib.error
import urllib.request

from assistant.cli import evaluate, rollout


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


def _add_capacity(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "capacity",
        help="what a model takes on this host, and what to expect of it; safe beside a live service",
    )
    environ = os.environ
    parser.add_argument("--model", default=environ.get("MODEL_PATH", ""), help="a GGUF file (MODEL_PATH)")
    parser.add_argument(
        "--conversations",
        type=int,
        default=environ.get("ASSISTANT_PARALLEL") or 4,
        help="answered at once, for the memory that is needed (default: %(default)s)",
    )
    parser.add_argument(
        "--context-tokens",
        type=int,
        default=environ.get("ASSISTANT_CONTEXT_TOKENS") or 2048,
        help="longest conversation (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        help="how long to ask questions, at most; loading comes before and is not counted; "
        "0 only calculates (default: 60)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object; bytes and seconds")


def _count(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value} is no whole number from 1 on")
    return int(value)


def _add_inbox(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "inbox", help="messages and replies that wait or were given up; safe beside a live service"
    )
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="what was given up, or waits; nothing personal is shown")
    listing.add_argument(
        "--state",
        choices=("waiting", "working", "given-up", "discarded", "all"),
        default="given-up",
        help="which ones (default: %(default)s); all is all but those that are done",
    )
    listing.add_argument(
        "--limit", type=_count, default=50, help="at most so many, the oldest (default: %(default)s)"
    )
    listing.add_argument("--json", action="store_true", help="one JSON object; ages in seconds")
    show = actions.add_parser("show", help="everything about one of them, without what is personal")
    show.add_argument("id", metavar="ID", help="as list shows it, for example inbox-12 or outbox-7")
    show.add_argument(
        "--text",
        action="store_true",
        help="also the text and the ids of people: personal, keep it out of logs",
    )
    for name, help_text in (
        ("retry", "put back what was given up, to be answered or sent"),
        ("discard", "mark what was given up as discarded: it is kept and no longer counted"),
    ):
        action = actions.add_parser(name, help=help_text)
        action.add_argument("ids", metavar="ID", nargs="*", help="for example inbox-12 or outbox-7")
        action.add_argument("--all", action="store_true", help="everything that was given up")
        if name == "discard":
            action.add_argument("--yes", action="store_true", help="really do it")


def _add_forget(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "forget",
        help="what is kept of one person, and with --yes its deletion; safe beside a live service",
        epilog="Exit status: 0 found (with --yes: deleted), 1 not possible, 2 wrong arguments, 3 nothing.",
    )
    parser.add_argument("--channel", required=True, choices=["feishu", "telegram", "web_chat"])
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--user", default="", help="the platform's id of the person: ou_... or a number")
    whose.add_argument("--chat", default="", help="the platform's id of a chat: all of it, whoever wrote")
    parser.add_argument("--yes", action="store_true", help="delete; without it nothing is changed")


def _add_encrypt(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "encrypt",
        help="encrypt what was stored earlier with the first key; safe beside a live service",
        epilog="Exit status: 0 done, 1 not possible or something left that no key opens, 2 wrong arguments.",
    )
    parser.add_argument(
        "--decrypt",
        action="store_true",
        help="store everything as plain text instead; the key file must begin with the line plain",
    )
    parser.add_argument(
        "--erase-unreadable",
        action="store_true",
        help="for a key that is lost: also delete the messages that no key opens, with their replies",
    )
    parser.add_argument("--yes", action="store_true", help="really delete them")


def _add_people(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    feedback = commands.add_parser(
        "feedback", help="how people rated the answers, and what they wrote with /feedback: personal"
    )
    feedback.add_argument("--days", type=_count, default=30, help="of so many days (default: %(default)s)")
    feedback.add_argument("--json", action="store_true", help="one JSON object; ages in seconds")
    maintenance = commands.add_parser(
        "maintenance", help="refuse questions politely for a while; the service goes on running"
    )
    maintenance.add_argument("action", choices=["on", "off", "status"])
    reload = commands.add_parser(
        "reload",
        help="load the model's file where it is younger than the process; connections wait, none is refused",
        epilog="Exit status: 0 done or not needed, 1 nothing runs, 2 wrong arguments, 3 it cannot be served.",
    )
    reload.add_argument("--look", action="store_true", help="only say whether it is younger")
    reload.add_argument(
        "--master", type=_count, default=1, help="gunicorn's process id (default: %(default)s)"
    )


def _add_cache(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "cache",
        help="frequent questions, pinned answers, forgetting what was answered; safe beside a live service",
        epilog="Exit status: 0 done, 1 not possible, 2 wrong arguments, 3 nothing found.",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    top = actions.add_parser("top", help="what people ask most, and how much of it needed no model")
    top.add_argument("--days", type=_count, default=7, help="of so many days (default: %(default)s)")
    top.add_argument("--limit", type=_count, default=20, help="at most so many (default: %(default)s)")
    top.add_argument(
        "--askers",
        type=_count,
        default=3,
        help="show a question's words only if so many have asked it (default: %(default)s); below 3 it is "
        "personal, keep it out of logs",
    )
    actions.add_parser("clear", help="forget all cached answers; pinned ones stay")
    pins = actions.add_parser("list", help="the pinned answers")
    pin = actions.add_parser("pin", help="give this answer to this question from now on, without the model")
    pin.add_argument("--question", required=True, help="in any of its forms: case and end make no difference")
    pin.add_argument("--answer", required=True)
    pin.add_argument("--language", choices=["en", "zh"], default="", help="for people of this language alone")
    unpin = actions.add_parser("unpin", help="remove pins that were made by command")
    unpin.add_argument("ids", metavar="ID", type=_count, nargs="+", help="as list shows it, for example 3")
    for action in (top, pins):
        action.add_argument("--json", action="store_true", help="JSON")


def _add_telegram(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "telegram",
        help="register webhook and menu where they are not, and see whether Telegram gets through",
        epilog="Exit status: 0 all is well, 1 not, 2 wrong arguments.",
    )
    parser.add_argument(
        "--seconds", type=_count, default=30, help="patience with updates that wait (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _add_status(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "status",
        help="whether all is well, in one screen; changes nothing",
        epilog="Exit status: 0 healthy, 1 not (the lines ATTENTION say why), 2 not reachable.",
    )
    parser.add_argument(
        "--url", default="http://127.0.0.1:8000/metrics", help="what to ask (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object; seconds and bytes")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m assistant", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="check all settings and secrets, start nothing")
    health = commands.add_parser("healthcheck", help="exit 0 when the running assistant is ready")
    health.add_argument(
        "--url", default="http://127.0.0.1:8000/readyz", help="what to ask (default: %(default)s)"
    )
    _add_status(commands)
    _add_capacity(commands)
    _add_inbox(commands)
    _add_people(commands)
    _add_forget(commands)
    _add_encrypt(commands)
    _add_telegram(commands)
    evaluate.add(commands)
    rollout.add(commands)
    _add_cache(commands)
    chosen = parser.parse_args(arguments)
    if chosen.command == "capacity":
        # Imported here: the health check, every ten seconds, has no use for numpy.
        from assistant.cli.capacity import run

        return run(chosen)
    if chosen.command == "status":
        from assistant.cli.status import run as status

        return status(url=chosen.url, as_json=chosen.json)
    if chosen.command == "inbox":
        from assistant.cli.inbox import run as run_inbox

        return run_inbox(chosen)
    if chosen.command == "forget":
        from assistant.cli.forget import run as forget

        return forget(chosen.channel, user=chosen.user, chat=chosen.chat, delete=chosen.yes)
    if chosen.command == "encrypt":
        from assistant.cli.encrypt import run as encrypt

        return encrypt(decrypt=chosen.decrypt, erase_unreadable=chosen.erase_unreadable, yes=chosen.yes)
    if chosen.command == "feedback":
        from assistant.cli.feedback import run as feedback

        return feedback(days=chosen.days, as_json=chosen.json)
    if chosen.command == "maintenance":
        from assistant.cli.maintenance import run as maintenance

        return maintenance(chosen.action)
    if chosen.command == "reload":
        from assistant.cli.reload import run as reload

        return reload(look=chosen.look, master=chosen.master)
    if chosen.command == "cache":
        from assistant.cli.cache import run as run_cache

        return run_cache(chosen)
    if chosen.command == "telegram":
        from assistant.cli.telegram import run as telegram

        return telegram(seconds=chosen.seconds, as_json=chosen.json)
    if chosen.command == "evaluate":
        return evaluate.run(chosen)
    if chosen.command == "rollout":
        return rollout.run(chosen)
    return check() if chosen.command == "check" else healthcheck(chosen.url)


if __name__ == "__main__":
    sys.exit(main())
