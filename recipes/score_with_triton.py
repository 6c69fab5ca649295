"""Scores a folder of images on a Triton server: score_with_triton.py IMAGES --url localhost:8000

Prints the rows of `la-ood score --output scores.csv`. What it has to know of the model, the server's configuration says.
"""

import argparse
import csv
import os
import sys
from pathlib import Path

import numpy as np
import tritonclient.http

from guarded import EXPLANATIONS, IMAGE_ENDINGS, OUTPUTS, columns, pixels

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("images", help="the folder")
parser.add_argument("--url", default="localhost:8000", help="host and port of the server's HTTP")
parser.add_argument("--name", default="guarded", help="the model's, in the repository")
arguments = parser.parse_args()

server = tritonclient.http.InferenceServerClient(arguments.url)
config = server.get_model_config(arguments.name)
metadata = {key: value["string_value"] for key, value in config["parameters"].items()}
size = [int(side) for side in config["input"][0]["dims"][-3:-1]]
names = [output["name"] for output in config["output"] if output["name"] in OUTPUTS + EXPLANATIONS]
folder = os.path.abspath(arguments.images)
paths = sorted(path for path in Path(folder).rglob("*") if path.suffix[1:].lower() in IMAGE_ENDINGS)

table = csv.writer(sys.stdout)
for start in range(0, len(paths), batch := config["max_batch_size"] or 1):
    some = paths[start : start + batch]
    images = np.stack([pixels(path, path.read_bytes(), size, metadata) for path in some])
    given = tritonclient.http.InferInput("pixels", images.shape, "UINT8").set_data_from_numpy(images)
    wanted = [tritonclient.http.InferRequestedOutput(name) for name in names]
    answer = server.infer(arguments.name, [given], outputs=wanted)
    outputs = {name: answer.as_numpy(name).reshape(-1) for name in names}
    rows = columns(folder, [str(path) for path in some], outputs, metadata)
    if start == 0:
        table.writerow(rows)
    rows["is_ood"] = ["true" if is_ood else "false" for is_ood in rows["is_ood"]]
    table.writerows(zip(*rows.values()))
