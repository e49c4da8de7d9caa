"""The command `sigfft explore`: a layer explored by hand on a local page. Imports come with a call."""

import argparse
import sys
from pathlib import Path
from typing import Any

from sigfft import inputs


def options(add: Any) -> None:
    """The flags of the command."""
    inputs.layer_options(add)
    inputs.threshold_option(add)
    add("--names", type=Path, help="the labels' names, one a line (default: those that a run's folder keeps)")
    add("--domain", type=inputs.domain_in, default="any", help="of a head's features: any, nonnegative or LOW,HIGH")
    add("--port", type=int, default=0, help="of 127.0.0.1 (default: a free one)")
    add("--open", action="store_true", help="open the page in the browser")


def run(args: argparse.Namespace) -> int:
    """Serves the page until it is interrupted, and says its address."""
    from sigfft.explorer.server import serve

    session = _session(args)
    session.warm_up()
    print(session.about()["title"], file=sys.stderr)
    serve(session, args.port, lambda address: _tell(args, address))
    return 0


def _session(args: argparse.Namespace) -> Any:
    from sigfft.explorer import Session
    from sigfft.files.layers import holds_head
    from sigfft.trained import load_trained_head

    if not 0 <= args.port < 1 << 16:
        raise ValueError(f"--port must be 0 to 65535; given {args.port}")
    if args.threshold is None and (args.weights.is_dir() or holds_head(args.weights)):
        head, params = load_trained_head(args.weights, args.tensor)
        return Session.of_head(head, params, names=inputs.read_names(args, head.n_labels), domain=args.domain)
    if args.domain != "any":
        raise ValueError("--domain is about the features of a head, as a run's folder or a head's file has it")
    weight, bias = inputs.read_layer(args)
    return Session(weight, bias, names=inputs.read_names(args, len(weight)))


def _tell(args: argparse.Namespace, address: str) -> None:
    from sigfft import answers

    text = f"{address}\nonly this machine can open it, and only with the whole address; end with Ctrl-C"
    answers.say(args, text, {"address": address})
    sys.stdout.flush()
    if args.open:
        import webbrowser

        webbrowser.open(address)
