"""Tiny raw data sets: sentences about shapes in colours, and pictures of them, with what is in them as labels."""

import csv
import json

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 60), "blue": (40, 60, 220), "yellow": (230, 210, 40)}
SHAPES = ("circle", "square", "triangle")
LABELS = (*COLOURS, *SHAPES)


def scenes(count, seed=0):
    """A sentence, a picture and its labels, `count` times."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        picture = Image.new("RGB", (24, 16), "white")
        words, labels = [], set()
        for i in range(rng.integers(1, 3)):
            colour, shape = rng.choice(list(COLOURS)), rng.choice(SHAPES)
            left, top = 12 * i + rng.integers(0, 3), rng.integers(0, 6)
            box = (left, top, left + 8, top + 8)
            draw = ImageDraw.Draw(picture)
            if shape == "triangle":
                draw.polygon([(left, top + 8), (left + 8, top + 8), (left + 4, top)], COLOURS[colour])
            else:
                (draw.ellipse if shape == "circle" else draw.rectangle)(box, COLOURS[colour])
            words.append(f"a {colour} {shape}")
            labels |= {str(colour), str(shape)}
        yield "there is " + " and ".join(words), picture, sorted(labels)


def write_texts(folder, count=60):
    """One table of JSON lines with a column of splits."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "scenes.jsonl").open("w") as file:
        for i, (text, _, labels) in enumerate(scenes(count)):
            split = ("train", "train", "train", "dev", "test")[i % 5]
            file.write(json.dumps({"id": i, "split": split, "title": text, "labels": labels}) + "\n")
    return folder


def write_images(folder, count=60):
    """Tables of splits as CSV, and pictures as JPEG and PNG."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    rows = []
    for i, (_, picture, labels) in enumerate(scenes(count)):
        path = f"pictures/{i}.{('png', 'jpg')[i % 2]}"
        picture.save(folder / path, quality=95)
        rows.append((path, "|".join(labels)))
    for split, own in {"train": rows[count // 3 :], "test": rows[: count // 3]}.items():
        with (folder / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("path", "labels"), *own])
    return folder
