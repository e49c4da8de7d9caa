"""The command `sigfft reach`: whether features reach every z, proved, or proved again. Imports come with a call."""

import argparse
import json
from pathlib import Path
from typing import Any

from sigfft import answers, inputs


def options(add: Any) -> None:
    """The flags of the command."""
    add("--weights", required=True, type=Path, help="a run's folder, or a head's .safetensors")
    add("--tensor", help="name of the head in the run (default: the last)")
    inputs.domain_option(add)
    add("--out", type=Path, help="JSON to write: the proof")
    add("--proof", type=Path, help="such a file, to be proved again for these weights")


def run(args: argparse.Namespace) -> int:
    """Proves what is reached, or that a file does, and says it."""
    from sigfft.argmaxability import Reach, reach
    from sigfft.domains import domain_of
    from sigfft.files import check_writable
    from sigfft.trained import load_trained_head

    if args.out is not None:
        check_writable(args.out, args.weights, args.proof)
    head, params = load_trained_head(args.weights, args.tensor)
    found = reach(head, params, args.domain) if args.proof is None else Reach.load(args.proof)
    if args.domain != "any" and domain_of(args.domain) != domain_of(found.domain):
        raise ValueError(f"{args.proof} is about features of the domain {found.domain}; leave --domain out")
    if args.proof is not None and not found.proves(head.projection(params)):
        raise ValueError(f"{args.proof} does not prove that {found}, of the head of {args.weights}")
    if args.out is not None:
        found.save(args.out)
    text = f"{head.name}, {head.feature_dim} features ({json.dumps(found.domain)}), d = {head.dim}: {found}"
    answers.say(args, text, answers.of_reach(head, found))
    return 0
