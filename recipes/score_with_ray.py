"""Scores a folder or bucket of images on Ray: score_with_ray.py MODEL IMAGES OUTPUT --workers 8

IMAGES and OUTPUT may be s3://…, gs://… or any other place that every worker reaches; OUTPUT is a new folder of Parquet.
RAY_ADDRESS says which cluster; without it, Ray is started on this machine, and ends with the script.

A worker that dies is started again, and does what it had in hand once more: the rows are the same.
"""

import argparse
import os
from pathlib import Path

import ray
from guarded import IMAGE_ENDINGS, GuardedModel


class Worker:
    """Loads the model once, and scores one batch of files after the other."""

    def __init__(self, model, folder):
        self._model = GuardedModel(model)
        self._folder = folder

    def __call__(self, batch):
        return self._model.rows(self._folder, batch["path"], batch["bytes"])


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", help="guarded.onnx, on this machine")
parser.add_argument("images", help="the folder")
parser.add_argument("output", help="the folder to make")
parser.add_argument("--workers", type=int, default=os.cpu_count(), help="one a core is right")
arguments = parser.parse_args()

if "RAY_ADDRESS" in os.environ:
    ray.init()
else:
    # Reading and writing are tasks of their own, which mostly wait.
    ray.init(num_cpus=arguments.workers + 2, object_store_memory=2**29, include_dashboard=False)

folder = arguments.images if "://" in arguments.images else os.path.abspath(arguments.images)
images = ray.data.read_binary_files(folder, include_paths=True, file_extensions=list(IMAGE_ENDINGS))
images.map_batches(
    Worker,
    fn_constructor_args=(Path(arguments.model).read_bytes(), folder),
    compute=ray.data.ActorPoolStrategy(size=arguments.workers),
    batch_size=32,
).write_parquet(arguments.output, mode="error")
