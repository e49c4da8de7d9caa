"""The command line, `sigfft COMMAND`. A command imports what it needs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sigfft
from sigfft import (
    answers,
    conversions,
    doctor,
    exploring,
    exports,
    imports,
    inputs,
    launching,
    manual,
    pages,
    reaching,
    sweeping,
)
from sigfft.files import check_writable
from sigfft.terminal import fitted


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
      0; 1 where `--fail-on-unargmaxable` applies; 2 after one line about bad input, or about sets that failed; 130
      where it was interrupted, and 143 where training was ended by SIGTERM.
    """
    commands = parser()
    args, further = commands.parse_known_args(argv)
    if further and args.run not in (launching.run, sweeping.run):
        commands.error(f"unrecognized arguments: {' '.join(further)}")
    args.given, args.overrides = sys.argv[1:] if argv is None else list(argv), further
    try:
        return args.run(args)
    except (ValueError, ArithmeticError, OSError, RuntimeError, ImportError, MemoryError) as error:
        message = f"sigfft {args.command}: {inputs.in_flags(answers.failure(error))}"
        print(answers.one_line(message), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"sigfft {args.command}: interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The flags of all commands, also for tools that make shell completions of a parser."""
    about = "Which label sets a trained output layer can output. Each command has examples: sigfft COMMAND --help"
    as_written: Any = {"prog": "sigfft", "formatter_class": argparse.RawDescriptionHelpFormatter}
    program = answers.OneLineParser(description=about, epilog=manual.EXIT_STATUS, **as_written)
    program.add_argument("--version", action="version", version=f"sigfft {sigfft.__version__}")
    commands = program.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (run, options, about) in _COMMANDS.items():
        as_written["prog"] = f"sigfft {name}"
        command = commands.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=manual.below_flags(name),
            **as_written,
        )
        options(command.add_argument)
        command.add_argument("--json", action="store_true", help="answer with one JSON document")
        command.set_defaults(run=run)
    return program


def _feature_options(add: Any) -> None:
    add("--features", action="store_true", help="of the features that a run or a head's file projects, not of z")


def _check_options(add: Any) -> None:
    inputs.layer_options(add)
    add("--labels", required=True, type=Path, help="label sets: text, JSON lines or XMC; also .gz")
    add("--rule", default="threshold", help="threshold, argmax or top_k (default: %(default)s)")
    inputs.threshold_option(add)
    add("--out", required=True, type=Path, help="JSON lines to write, one verdict each")
    _feature_options(add)
    inputs.domain_option(add)
    add("--time-limit", type=float, help="seconds after which a set is left undecided (default: none)")
    add("--epsilon", type=float, help="also the share with room for a ball of this radius")
    add("--box", type=float, help="bound on |z_j| for --epsilon, at most 1e6 (default: 1e4)")
    add("--names", type=Path, help="the labels' names, one a line (default: those that a run's folder keeps)")
    add("--jobs", type=int, default=1, help="processes; -1: as many as cores (default: %(default)s)")
    add("--resume", type=Path, help="folder for finished batches; a broken run goes on from there")
    add("--fail-on-unargmaxable", action="store_true", help="exit with 1 if a set is unargmaxable")


def _check(args: argparse.Namespace) -> int:
    from sigfft.argmaxability import check
    from sigfft.argmaxability.epsilon import BOX, check_epsilon, epsilon_argmaxable
    from sigfft.argmaxability.rules import named

    if args.threshold is not None and named(args.rule).free_level:
        raise ValueError(f"--threshold {args.threshold} goes with --rule threshold; given --rule {args.rule}")
    named(args.rule)
    if not args.out.parent.is_dir() or args.out.is_dir():
        raise ValueError(f"--out {args.out} must be a file in a folder that exists")
    check_writable(args.out, args.weights, args.labels, args.names)
    box = BOX if args.box is None else args.box
    if args.epsilon is not None:
        check_epsilon(args.rule, args.epsilon, box)
        if args.features or args.domain != "any":
            raise ValueError("--epsilon is about z of any value: leave out --features and --domain")
    elif args.box is not None:
        raise ValueError(f"--box {args.box:g} bounds the balls of --epsilon; give --epsilon too, or leave --box out")
    weight, bias, padded = inputs.read_layer_and_sets(args, args.labels)
    if not len(padded):
        raise ValueError(f"{args.labels} holds no label set; expected one a line (an empty line is the empty set)")
    names = inputs.read_names(args, len(weight))
    print(inputs.summary(weight, bias), file=sys.stderr)
    options = {"progress": sys.stderr.isatty(), "n_jobs": args.jobs, "resume_dir": args.resume}
    options |= {"domain": args.domain, "time_limit": args.time_limit, "projection": inputs.read_projection(args)}
    report = check(weight, padded, bias, args.rule, **options)
    report.save(args.out)
    shares = {}
    if args.epsilon is not None:
        shares["ε-argmaxable"] = epsilon_argmaxable(weight, report, bias, args.epsilon, box)
    content = answers.of_layer(weight, bias) | {"rule": args.rule, "out": str(args.out)}
    text = fitted(report.table(**shares)) + answers.impossible_sets(report, names)
    answers.say(args, text, content | answers.of_report(report, **shares))
    failed = [verdict.reason for verdict in report.verdicts if verdict.method == "none"]
    if failed:
        again = "again" if args.resume is None else f"again with --resume {args.resume}, which keeps the others"
        line = f"sigfft check: {len(failed)} label sets failed ({failed[0]}); run it {again}"
        print(answers.one_line(line), file=sys.stderr)
        return 2
    return 1 if args.fail_on_unargmaxable and "unargmaxable" in report.status else 0


def _verify_options(add: Any) -> None:
    add("verdicts", type=Path, help="JSON lines that `sigfft check` wrote")
    inputs.layer_options(add)
    inputs.threshold_option(add)
    _feature_options(add)
    add("--labels", type=Path, help="label sets that must each have a verdict: text, JSON lines or XMC; also .gz")


def _verify(args: argparse.Namespace) -> int:
    from sigfft.argmaxability import verify
    from sigfft.files.label_sets import load_label_sets

    sets, n_labels = (None, None) if args.labels is None else load_label_sets(args.labels)
    if sets == []:
        raise ValueError(f"{args.labels} holds no label set; expected one a line (an empty line is the empty set)")
    weight, bias = inputs.read_layer(args, n_labels=inputs.stated_labels(args.verdicts))
    inputs.same_labels(args.labels, n_labels, args.weights, len(weight))
    counts = verify(args.verdicts, weight, bias, sets, projection=inputs.read_projection(args))
    every = "" if sets is None else f"; each of the {len(sets)} label sets of {args.labels} has a verdict"
    text = "verified: " + ", ".join(f"{count} {status}" for status, count in counts.items()) + every
    answers.say(args, text, {"verified": counts, "label_sets": None if sets is None else len(sets)})
    return 0


def _count_options(add: Any) -> None:
    add("--labels", required=True, type=int, help="number of labels, n")
    add("--dim", required=True, type=int, help="width of the layer's input, d")
    add("--cardinality", type=int, help="also count the sets of this many labels (cyclic matrix)")


def _count(args: argparse.Namespace) -> int:
    from sigfft.argmaxability.theory.counts import count_table, counted

    sizes = (args.labels, args.dim, args.cardinality)
    counts = [count.to_json() for count in counted(*sizes)]
    answers.say(args, count_table(*sizes), {"n_labels": args.labels, "dim": args.dim, "counts": counts})
    return 0


def _plan_options(add: Any) -> None:
    add("--labels", required=True, type=int, help="number of labels, n")
    add("--cardinality", required=True, type=int, help="labels of the largest set, k")
    add("--dtype", default="float32", help="of the forward pass (default: %(default)s)")
    add("--sets", type=Path, help="label sets of your data: text, JSON lines or XMC; also .gz")
    add("--share", type=float, default=0.95, help="of the sets to be output (default: %(default)s)")
    add("--confidence", type=float, default=0.95, help="of the intervals (default: %(default)s)")
    add("--samples", type=int, default=100, help="sets tried for each spread (default: %(default)s)")
    add("--features", type=int, default=768, help="width of the head's input (default: %(default)s)")
    inputs.domain_option(add)
    add("--centred", action="store_true", help="a head that subtracts their mean from features")
    add("--slack", type=int, default=0, help="learned columns beside the spread (default: %(default)s)")
    add("--n-fft", type=int, help="points of the transform (default: the next fast length)")
    add("--thorough", action="store_true", help="search longer: a smaller spread, in hours")


def _plan(args: argparse.Namespace) -> int:
    from sigfft.argmaxability import plan
    from sigfft.files.label_sets import load_label_sets

    sets, n_labels = (None, None) if args.sets is None else load_label_sets(args.sets)
    inputs.same_labels(args.sets, n_labels, "--labels", args.labels)
    names = ("share", "confidence", "samples", "domain", "centred", "slack", "n_fft", "thorough")
    settings = {name: getattr(args, name) for name in names}
    found = plan(args.labels, args.cardinality, args.dtype, label_sets=sets, feature_dim=args.features, **settings)
    answers.say(args, str(found), answers.of_plan(found))
    return 0


def _retrofit_options(add: Any) -> None:
    inputs.layer_options(add)
    add("--cardinality", required=True, type=int, help="labels of the largest set, k")
    add("--spread", type=int, default=0, help="scattered frequencies; see plan (default: %(default)s)")
    add("--n-fft", type=int, help="points of the transform (default: the next fast length)")
    add("--sets", type=Path, help="label sets to check before and after")
    add("--out", required=True, type=Path, help=".safetensors to write; sigfft.load_head reads it")


def _retrofit(args: argparse.Namespace) -> int:
    from sigfft.argmaxability import check, check_head
    from sigfft.heads import retrofit, save_head

    if not args.out.parent.is_dir() or args.out.suffix != ".safetensors":
        raise ValueError(f"--out {args.out} must be a .safetensors file in a folder that exists")
    check_writable(args.out, args.weights, args.sets)
    weight, bias, padded = inputs.read_layer_and_sets(args, args.sets)
    head, params = retrofit(weight, bias, args.cardinality, spread=args.spread, n_fft=args.n_fft)
    save_head(args.out, head, params)
    text = f"{inputs.summary(weight, bias)}; with the guarantee for {args.cardinality} labels: {head.dim} dimensions"
    content = answers.of_layer(weight, bias) | {"head": head.arguments, "head_dim": head.dim, "out": str(args.out)}
    if len(padded):
        before, after = check(weight, padded, bias), check_head(head, params, padded)
        text += f"\nbefore\n{fitted(before.table())}\nafter: {after.reach}\n{fitted(after.truths())}"
        content |= {"before": answers.of_report(before), "after": answers.of_head_report(after)}
    answers.say(args, text, content)
    return 0


def _predict_options(add: Any) -> None:
    add("--workdir", required=True, type=Path, help="folder of a finished run of train.py")
    add(
        "--input",
        required=True,
        type=Path,
        help="examples as the run has them: a table of texts or images, XMC, .npy; -: stdin",
    )
    add("--output", required=True, type=Path, help=".tsv or .jsonl to write, one example a line")
    add("--head", help="name of the head in the run's table (default: the last)")
    add("--top", type=int, default=10, help="labels of an example at most (default: %(default)s)")
    about = "label sets: labels of a larger probability, such as 0.5; without a number, as the run chose on dev"
    add("--threshold", nargs="?", const="dev", type=inputs.threshold_in, help=about)


def _predict(args: argparse.Namespace) -> int:
    from sigfft.training.prediction import predict_file

    options = {"head": args.head, "top": args.top, "threshold": args.threshold}
    points, cut = predict_file(args.workdir, args.input, args.output, **options)
    content = {"output": str(args.output), "examples": points, "cut": cut}
    answers.say(args, f"{args.output}: labels of {points} examples", content)
    if cut:
        print(f"{cut} examples have more than {args.top} labels above the threshold; raise --top", file=sys.stderr)
    return 0


_COMMANDS = {
    "check": (_check, _check_options, "decide label sets, and write each verdict with its proof"),
    "verify": (_verify, _verify_options, "prove every verdict of a file again, exactly and without a solver"),
    "count": (_count, _count_options, "count the label sets that a layer of a given shape can output"),
    "plan": (_plan, _plan_options, "find the spread that lets a guarantee survive floating point"),
    "reach": (
        reaching.run,
        reaching.options,
        "prove whether a head's features reach every z, so that its guarantee is theirs",
    ),
    "retrofit": (_retrofit, _retrofit_options, "give a trained layer the guarantee, with the logits it has"),
    "import": (imports.run, imports.options, "read a layer that the paper's PyTorch code trained, as a head's file"),
    "train": (launching.run, launching.options, "train, evaluate and check the heads of a config"),
    "sweep": (sweeping.run, sweeping.options, "train heads at sizes, rates and seeds, and write tables of them"),
    "report": (pages.run, pages.options, "write a page of one run, or of several side by side: one HTML file"),
    "predict": (_predict, _predict_options, "write the best labels of each example of a file, with probabilities"),
    "convert": (conversions.run, conversions.options, "write a data set in another format: texts as XMC, and back"),
    "export": (exports.run, exports.options, "write a run's model to one file that a server reloads"),
    "explore": (exploring.run, exploring.options, "switch labels on and read verdicts, on a local page"),
    "doctor": (doctor.run, doctor.options, "tell versions and devices, and try every part; for bug reports"),
}
