"""Time from a click to the verdict on the page of `sigfft explore`, in the system's Chromium, with 14,642 labels.

    python benchmarks/bench_explorer.py         # about 3 minutes on 2 cores

Each line is a layer that `sigfft explore` was started on. Labels are switched on one by one, at random, up to 8 (the
DFT head: 10) of them, then all off, and so on. A click counts from the event on the checkbox to the frame after the
verdict stands on the page. The first click comes right after the page is there. Conflicts, neighbours and truths are
worked on between clicks, and a click stops them. Search: from a typed word to the list of labels, the pause after the
last key (80 ms) included. Gaussian: random rows; with the bias −6 most small sets can be output, without it none.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np
from playwright.sync_api import Page, sync_playwright
from results import explained, table, write_section

import sigfft

N_LABELS, CLICKS = 14_642, 100
_CLICK = """async () => {
    const boxes = [...document.querySelectorAll(".results input")].filter((box) => !box.checked);
    const box = boxes[Math.floor(Math.random() * boxes.length)];
    const on = document.querySelectorAll(".results input:checked").length + 1;
    const shown = document.querySelector(".verdict");
    const begun = performance.now();
    box.click();
    while (shown.classList.contains("pending") || shown.dataset.labels.split(",").length !== on)
        await new Promise((resolve) => requestAnimationFrame(resolve));
    const status = shown.querySelector(".status").className;
    await new Promise((resolve) => requestAnimationFrame(resolve));
    return [performance.now() - begun, status];
}"""
_SEARCH = """async (word) => {
    const [query, list] = [document.querySelector("input[type=search]"), document.querySelector(".results")];
    const before = list.firstChild;
    query.value = word;
    const begun = performance.now();
    query.dispatchEvent(new Event("input"));
    while (list.firstChild === before) await new Promise((resolve) => requestAnimationFrame(resolve));
    return performance.now() - begun;
}"""


def layers(folder: Path) -> dict[str, tuple[Path, int]]:
    """Files of weights by the name of the layer, and how many labels are switched on at most."""
    weight = np.random.default_rng(0).standard_normal((N_LABELS, 50), np.float32)
    head = sigfft.dft_head(N_LABELS, 10, feature_dim=512, spread=100)
    np.savez(folder / "bottleneck.npz", weight=weight)
    np.savez(folder / "biased.npz", weight=weight, bias=np.full(N_LABELS, -6, np.float32))
    sigfft.save_head(folder / "dft.safetensors", head, jax.jit(head.init)(jax.random.key(0)))
    return {
        "Gaussian, d = 50": (folder / "bottleneck.npz", 8),
        "Gaussian, d = 50, bias −6": (folder / "biased.npz", 8),
        "DFT head, k = 10, spread 100, d = 221": (folder / "dft.safetensors", 10),
    }


def measured(page: Page, address: str, most: int, clicks: int) -> tuple[list[float], list[str], list[float]]:
    """Milliseconds of each click, what the verdicts were, and milliseconds of searches."""
    page.goto(address)
    page.wait_for_selector(".verdict:not(.pending) .status")
    page.wait_for_selector(".results input")
    times, verdicts = [], []
    for turn in range(clicks):
        took, status = page.evaluate(_CLICK)
        times.append(took)
        verdicts.append(status.split()[-1])
        if turn % most == most - 1:
            page.get_by_role("button", name="all off").click()
            page.wait_for_selector(".verdict[data-labels='']:not(.pending)")
        page.wait_for_timeout(150)  # a quick hand
    searches = [page.evaluate(_SEARCH, word) for word in ("7", "name 12", "14", "other", "41", "name 9")]
    return times, verdicts, searches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", type=int, default=CLICKS)
    parser.add_argument("--browser", default="chromium", help="the program (default: %(default)s)")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "names.txt").write_text("".join(f"name {i} or other\n" for i in range(N_LABELS)), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=which(args.browser), args=["--no-sandbox"])
        for title, (path, most) in layers(folder).items():
            command = [
                sys.executable,
                "-m",
                "sigfft",
                "explore",
                "--names",
                f"{folder}/names.txt",
                "--weights",
                str(path),
            ]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
                address = served.stdout.readline().strip()
                times, verdicts, searches = measured(browser.new_page(), address, most, args.clicks)
                served.terminate()
            median, late = np.percentile(times, [50, 95])
            possible = sum(status == "argmaxable" for status in verdicts)
            numbers = [times[0], median, late, max(times), float(np.median(searches))]
            rows.append([title, f"{possible} of {len(times)}", *(f"{number:.0f} ms" for number in numbers)])
            print(*rows[-1], sep=" | ", flush=True)
    header = ["layer", "possible sets", "first click", "median", "95th percentile", "longest", "search, median"]
    write_section("From a click to the verdict", explained(__doc__), table(header, rows))


def which(program: str) -> str:
    """Where a program is. Exits where it is not there."""
    found = shutil.which(program)
    if found is None:
        sys.exit(f"no {program} on the PATH: `apt-get install chromium`, or name it by --browser")
    return found


if __name__ == "__main__":
    main()
