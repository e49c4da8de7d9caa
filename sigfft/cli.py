"""The command line: `sigfft check | verify | count | plan | retrofit | predict`. A command imports what it needs."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RULES = ("threshold", "argmax", "top_k")  # those of `argmaxability.exact`, which takes a second to import


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
      0; 1 where `--fail-on-unargmaxable` applies; 2 after one line about bad input, or about sets that failed; 130
      where it was interrupted.
    """
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"sigfft {args.command}: {_in_flags(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"sigfft {args.command}: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sigfft", description="Which label sets a trained output layer can output.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_check, _add_verify, _add_count, _add_plan, _add_retrofit, _add_predict):
        add(commands)
    return parser


def _add_check(commands: Any) -> None:
    parser = commands.add_parser("check", help="decide label sets, and write each verdict with its proof")
    _add_layer(parser)
    parser.add_argument("--labels", required=True, type=Path, help="label sets: text, JSON lines or XMC; also .gz")
    parser.add_argument("--rule", choices=RULES, default="threshold", help="decision rule (default: %(default)s)")
    parser.add_argument("--out", required=True, type=Path, help="JSON lines to write, one verdict each")
    parser.add_argument("--epsilon", type=float, help="also the share with room for a ball of this radius")
    parser.add_argument("--box", type=float, help="bound on |z_j| for --epsilon, at most 1e6 (default: 1e4)")
    parser.add_argument("--jobs", type=int, default=1, help="processes; -1: as many as cores (default: %(default)s)")
    parser.add_argument("--resume", type=Path, help="folder for finished batches; a broken run goes on from there")
    parser.add_argument("--fail-on-unargmaxable", action="store_true", help="exit with 1 if a set is unargmaxable")
    parser.set_defaults(run=_check)


def _add_verify(commands: Any) -> None:
    parser = commands.add_parser("verify", help="prove every verdict of a file again, exactly and without a solver")
    parser.add_argument("verdicts", type=Path, help="JSON lines that `sigfft check` wrote")
    _add_layer(parser)
    parser.set_defaults(run=_verify)


def _add_count(commands: Any) -> None:
    parser = commands.add_parser("count", help="count the label sets that a layer of a given shape can output")
    parser.add_argument("--labels", required=True, type=int, help="number of labels, n")
    parser.add_argument("--dim", required=True, type=int, help="width of the layer's input, d")
    parser.add_argument("--cardinality", type=int, help="also count the sets of this many labels (cyclic matrix)")
    parser.set_defaults(run=_count)


def _add_plan(commands: Any) -> None:
    parser = commands.add_parser("plan", help="find the spread that lets a guarantee survive floating point")
    parser.add_argument("--labels", required=True, type=int, help="number of labels, n")
    parser.add_argument("--cardinality", required=True, type=int, help="labels of the largest set, k")
    parser.add_argument("--dtype", default="float32", help="of the forward pass (default: %(default)s)")
    parser.add_argument("--sets", type=Path, help="label sets of your data: text, JSON lines or XMC; also .gz")
    parser.add_argument("--share", type=float, default=0.95, help="of the sets to be output (default: %(default)s)")
    parser.add_argument("--confidence", type=float, default=0.95, help="of the intervals (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=100, help="sets tried for each spread (default: %(default)s)")
    parser.add_argument("--features", type=int, default=768, help="width of the head's input (default: %(default)s)")
    parser.add_argument("--slack", type=int, default=0, help="learned columns beside the spread (default: %(default)s)")
    parser.add_argument("--n-fft", type=int, help="points of the transform (default: as many as labels)")
    parser.add_argument("--thorough", action="store_true", help="search longer: a smaller spread, in hours")
    parser.set_defaults(run=_plan)


def _add_retrofit(commands: Any) -> None:
    parser = commands.add_parser("retrofit", help="give a trained layer the guarantee, with the logits it has")
    _add_layer(parser)
    parser.add_argument("--cardinality", required=True, type=int, help="labels of the largest set, k")
    parser.add_argument("--spread", type=int, default=0, help="scattered frequencies; see plan (default: %(default)s)")
    parser.add_argument("--n-fft", type=int, help="points of the transform (default: as many as labels)")
    parser.add_argument("--sets", type=Path, help="label sets to check before and after")
    parser.add_argument("--out", required=True, type=Path, help=".safetensors to write; sigfft.load_head reads it")
    parser.set_defaults(run=_retrofit)


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser("predict", help="write the best labels of each example of a file, with probabilities")
    parser.add_argument("--workdir", required=True, type=Path, help="folder of a finished run of train.py")
    parser.add_argument("--input", required=True, type=Path, help="examples: XMC, also .gz; or .npy if they are dense")
    parser.add_argument("--output", required=True, type=Path, help=".tsv or .jsonl to write, one example a line")
    parser.add_argument("--head", help="name of the head in the run's table (default: the last)")
    parser.add_argument("--top", type=int, default=10, help="labels of an example at most (default: %(default)s)")
    parser.add_argument("--threshold", type=float, help="keep only labels of a larger probability, such as 0.5")
    parser.set_defaults(run=_predict)


def _add_layer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", required=True, type=Path, help=".npy, .npz, .safetensors or a run's folder")
    parser.add_argument("--tensor", help="name of the weight in the file, or of the head in the run")
    parser.add_argument("--bias", help="name of the bias in the file; for .npy, the path of another; '': no bias")
    parser.add_argument("--transposed", action="store_true", help="the weight is stored (dim, n_labels)")


def _check(args: argparse.Namespace) -> int:
    from sigfft.argmaxability.check import check
    from sigfft.argmaxability.epsilon import BOX, check_epsilon, epsilon_argmaxable
    from sigfft.files import check_writable

    if not args.out.parent.is_dir() or args.out.is_dir():
        raise ValueError(f"--out {args.out} must be a file in a folder that exists")
    check_writable(args.out)
    box = BOX if args.box is None else args.box
    if args.epsilon is not None:
        check_epsilon(args.rule, args.epsilon, box)
    elif args.box is not None:
        raise ValueError(f"--box {args.box:g} bounds the balls of --epsilon; give --epsilon too, or leave --box out")
    weight, bias, padded = _read_layer_and_sets(args, args.labels)
    if not len(padded):
        raise ValueError(f"{args.labels} holds no label set; expected one a line (an empty line is the empty set)")
    print(_summary(weight, bias), file=sys.stderr)
    options = {"progress": sys.stderr.isatty(), "n_jobs": args.jobs, "resume_dir": args.resume}
    report = check(weight, padded, bias, args.rule, **options)
    report.save(args.out)
    shares = {}
    if args.epsilon is not None:
        shares["ε-argmaxable"] = epsilon_argmaxable(weight, report, bias, args.epsilon, box)
    print(report.table(**shares))
    failed = [verdict.reason for verdict in report.verdicts if verdict.method == "none"]
    if failed:
        again = "again" if args.resume is None else f"again with --resume {args.resume}, which keeps the others"
        print(f"sigfft check: {len(failed)} label sets failed ({failed[0]}); run it {again}", file=sys.stderr)
        return 2
    return 1 if args.fail_on_unargmaxable and "unargmaxable" in report.status else 0


def _verify(args: argparse.Namespace) -> int:
    from sigfft.argmaxability.certificate import verify

    weight, bias = _read_layer(args, _stated_labels(args.verdicts))
    counts = verify(args.verdicts, weight, bias)
    print("verified: " + ", ".join(f"{count} {status}" for status, count in counts.items()))
    return 0


def _count(args: argparse.Namespace) -> int:
    from sigfft.counting import counts

    print(counts(args.labels, args.dim, args.cardinality))
    return 0


def _plan(args: argparse.Namespace) -> int:
    from sigfft.files.label_sets import load_label_sets
    from sigfft.planning import plan

    sets, n_labels = (None, None) if args.sets is None else load_label_sets(args.sets)
    _same_labels(args.sets, n_labels, "--labels", args.labels)
    settings = {name: getattr(args, name) for name in ("share", "confidence", "samples", "slack", "n_fft", "thorough")}
    print(plan(args.labels, args.cardinality, args.dtype, label_sets=sets, feature_dim=args.features, **settings))
    return 0


def _retrofit(args: argparse.Namespace) -> int:
    from sigfft.argmaxability.check import check, check_head
    from sigfft.files import check_writable
    from sigfft.heads import retrofit, save_head

    if not args.out.parent.is_dir() or args.out.suffix != ".safetensors":
        raise ValueError(f"--out {args.out} must be a .safetensors file in a folder that exists")
    check_writable(args.out)
    weight, bias, padded = _read_layer_and_sets(args, args.sets)
    head, params = retrofit(weight, bias, args.cardinality, spread=args.spread, n_fft=args.n_fft)
    save_head(args.out, head, params)
    print(f"{_summary(weight, bias)}; with the guarantee for {args.cardinality} labels: {head.dim} dimensions")
    if len(padded):
        print(f"before\n{check(weight, padded, bias).table()}\nafter\n{check_head(head, params, padded).truths()}")
    return 0


def _predict(args: argparse.Namespace) -> int:
    from sigfft.training.predict_file import predict_file

    options = {"head": args.head, "top": args.top, "threshold": args.threshold}
    points, cut = predict_file(args.workdir, args.input, args.output, **options)
    print(f"{args.output}: labels of {points} examples")
    if cut:
        print(f"{cut} examples have more than {args.top} labels above the threshold; raise --top", file=sys.stderr)
    return 0


def _read_layer_and_sets(args: argparse.Namespace, path: Path | None) -> tuple[Any, Any, Any]:
    """The weight and bias that --weights names, and the padded label sets of a file; none without a file."""
    from sigfft import labels
    from sigfft.files.label_sets import load_label_sets

    sets, n_labels = ([], None) if path is None else load_label_sets(path)
    weight, bias = _read_layer(args, n_labels, max((max(ids) for ids in sets if ids), default=-1))
    _same_labels(path, n_labels, args.weights, len(weight))
    return weight, bias, labels.pad(sets, len(weight))


def _read_layer(args: argparse.Namespace, n_labels: int | None, largest_label: int = -1) -> tuple[Any, Any]:
    """The weight and bias that --weights names: of a run's head, of a head's file, or plain arrays."""
    from sigfft.files.layers import holds_head, load_weights
    from sigfft.heads import load_head, stored_layer

    if args.weights.is_dir():
        from sigfft.training import load_model

        _refuse(args, f"{args.weights} is a run's folder", "bias", "transposed")
        model, params = load_model(args.weights, args.tensor)
        return stored_layer(model.head, params["head"])
    if holds_head(args.weights):
        _refuse(args, f"{args.weights} is a head that sigfft wrote", "tensor", "bias", "transposed")
        return stored_layer(*load_head(args.weights))
    return load_weights(args.weights, args.tensor, args.bias, args.transposed, n_labels, largest_label)


def _refuse(args: argparse.Namespace, what: str, *names: str) -> None:
    given = [f"--{name}" for name in names if getattr(args, name) not in (None, False)]
    if given:
        raise ValueError(f"{what}, which knows its weight and bias; leave out {', '.join(given)}")


def _same_labels(sets: Any, stated: int | None, other: Any, n_labels: int) -> None:
    if stated not in (None, n_labels):
        raise ValueError(f"{sets} is for {stated} labels, but {other} has {n_labels}")


def _summary(weight: Any, bias: Any) -> str:
    n_labels, dim = weight.shape
    return f"{n_labels} labels, {dim} dimensions, {weight.dtype}, {'no bias' if bias is None else 'with a bias'}"


def _stated_labels(path: Path) -> int | None:
    """The number of labels in the first verdict; None where it cannot be read, which `verify` reports better."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        try:
            n_labels = json.loads(next(lines, "")).get("n_labels")
        except (ValueError, AttributeError):
            return None
    return n_labels if isinstance(n_labels, int) else None


def _in_flags(message: str) -> str:
    """A library's message, with the arguments that it names as the flags that set them."""
    flag = re.compile(r"(?<=\s)(tensor|bias|transposed)=(?:True)?(?=(['\"])?)")
    return flag.sub(lambda found: f"--{found[1]}{' ' if found[2] else ''}", message)
