"""What `sigfft COMMAND --help` says below the flags: examples, the format of label sets, exit statuses."""

EXIT_STATUS = """exit status:
  0    all is done
  1    check --fail-on-unargmaxable: a label set is unargmaxable
  2    after one line on stderr: bad input, nothing could be written, or some label sets failed
  130  ended by Ctrl-C; train saves first, and prints the command that goes on; sweep likewise
  143  train or sweep, ended by SIGTERM: saved likewise"""

LABEL_SETS = """label sets, one a line; label ids count from 0; a name that ends in .gz is of a gzipped file:
  .txt     3,17,20 (an empty line is the empty set)
  .jsonl   [3, 17, 20]
  XMC      a first line of three numbers, examples, features and labels; then 3,17,20 5:0.1 8:0.7, of which
           features such as 5:0.1 are not looked at"""

EXAMPLES = {
    "check": """sigfft check --weights model.safetensors --labels sets.txt --out verdicts.jsonl
sigfft check --weights W.npz --tensor weight --bias "" --labels sets.txt --rule top_k --out verdicts.jsonl
sigfft check --weights runs/mine --features --domain nonnegative --labels sets.txt --out verdicts.jsonl""",
    "verify": """sigfft verify verdicts.jsonl --weights model.safetensors --labels sets.txt""",
    "count": """sigfft count --labels 8921 --dim 51 --cardinality 80""",
    "plan": """sigfft plan --labels 20000 --cardinality 50 --features 256 --domain nonnegative""",
    "reach": """sigfft reach --weights runs/mine --domain nonnegative""",
    "retrofit": """sigfft retrofit --weights model.safetensors --cardinality 10 --spread 100 --out head.safetensors""",
    "import": """sigfft import --weights paper_model.safetensors --out head.safetensors""",
    "train": """sigfft train --config=demo --workdir=runs/demo
sigfft train --config.data.dir=FOLDER --workdir=runs/mine""",
    "sweep": """sigfft sweep --config.data.dir=FOLDER --families=bottleneck,dft_spread --dims=25,50 --workdir=runs/sweep
sigfft sweep --workdir=runs/sweep --tables-only --csv=results.csv""",
    "predict": """sigfft predict --workdir runs/mine --input test.txt --output predictions.tsv
echo "a new text" | sigfft predict --workdir runs/mine --input - --output predictions.tsv""",
    "convert": """sigfft convert FOLDER --out FOLDER.xmc""",
    "export": """sigfft export --workdir runs/mine --out model.sigfft --max-features 100""",
    "report": """sigfft report runs/mine --out report.html""",
    "explore": """sigfft explore --weights runs/mine
sigfft explore --weights model.safetensors --names label_names.txt""",
    "doctor": """sigfft doctor --workdir runs/mine --labels 20000""",
}
_WITH_LABEL_SETS = ("check", "verify", "plan", "retrofit")


def below_flags(command: str) -> str:
    """The last part of the help of a command: an example at least."""
    lines = "\n".join(f"  {line}" for line in EXAMPLES[command].splitlines())
    formats = f"\n\n{LABEL_SETS}" if command in _WITH_LABEL_SETS else ""
    return f"{'examples' if chr(10) in lines else 'example'}:\n{lines}{formats}"
