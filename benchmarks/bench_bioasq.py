"""Memory and speed of the bioasq reader on a generated file in the format of BioASQ.

    python benchmarks/bench_bioasq.py --megabytes 2000

The file holds articles of about 1.4 kB, and the files of ids name as many of them as the paper has, 115,000, or a third
of all where there are fewer. The reader runs in a process of its own: its peak is that of the whole process, imports
included. In brackets: of the imports alone.
"""

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
import time
from pathlib import Path

SHARES = {"train-100k-part-1": 100_000, "valid-5k": 5000, "test-10k": 10_000}
SPLITS = {"train": "train-100k-part-1", "dev": "valid-5k", "test": "test-10k"}
HEADINGS = 20_000


def generate(folder: Path, megabytes: int) -> int:
    """Writes the files; returns the number of articles."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 11))) for _ in range(50_000)]
    count, path = 0, folder / "allMeSH_2021.json"
    with path.open("w") as file:
        file.write('{"articles":[\n')
        while file.tell() < megabytes * 1e6:
            headings = [f"Heading {i}" for i in sorted({rng.randrange(HEADINGS) for _ in range(13)})]
            article = {"journal": "A journal", "meshMajor": headings, "year": "2020", "pmid": str(count + 1)}
            article |= {
                "abstractText": " ".join(rng.choices(words, k=130)),
                "title": " ".join(rng.choices(words, k=12)),
            }
            file.write((",\n" if count else "") + json.dumps(article))
            count += 1
        file.write("]}")
    ids = rng.sample(range(1, count + 1), min(count // 3, sum(SHARES.values())))
    start = 0
    for name, share in SHARES.items():
        stop = start + round(len(ids) * share / sum(SHARES.values()))
        (folder / f"{name}.csv").write_text("pmid\n" + "".join(f"{i}\n" for i in ids[start:stop]))
        start = stop
    (folder / "vocab.txt").write_text("".join(f"Heading {i}\n" for i in range(HEADINGS)))
    return count


def read(folder: Path, answers: multiprocessing.Queue) -> None:
    """Reads the articles; answers with peaks in MB, of the imports and of all, with seconds and examples."""
    from sigfft.data.bioasq import read_articles

    imports, begun = _peak(), time.perf_counter()
    subsets = {split: folder / f"{name}.csv" for split, name in SPLITS.items()}
    found = read_articles(folder / "allMeSH_2021.json", subsets, folder / "vocab.txt", skip_malformed=False)
    answers.put((imports, _peak(), time.perf_counter() - begun, sum(map(len, found.splits.values()))))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000  # kB on Linux


def main() -> None:
    """Generates, reads, and prints a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2000, help="size of the file")
    size = parser.parse_args().megabytes
    with tempfile.TemporaryDirectory() as folder:
        count = generate(Path(folder), size)
        context = multiprocessing.get_context("spawn")
        answers = context.Queue()
        process = context.Process(target=read, args=(Path(folder), answers))
        process.start()
        imports, peak, seconds, examples = answers.get()
        process.join()
    print(
        f"{size:,} MB, {count:,} articles, {examples:,} of them read in {seconds:.1f} s, {size / seconds:.0f} MB/s; "
        f"peak {peak:.0f} MB (imports {imports:.0f} MB)"
    )


if __name__ == "__main__":
    main()
