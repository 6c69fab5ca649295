"""Scores a folder or bucket of images on Spark: spark-submit score_with_spark.py MODEL IMAGES OUTPUT

IMAGES and OUTPUT may be hdfs://…, s3a://… or any other place that every executor reaches; OUTPUT is a new folder of
Parquet. A task that is lost is done once more: the rows are the same.
"""

import argparse
import os

import pandas as pd
from pyspark import SparkFiles
from pyspark.sql import SparkSession

import guarded

COLUMNS = "set string, image string, label long, class string, ood_score double, p_value double, is_ood boolean"
# What explains the decision: of a guard of two questions, and of one by layers.
QUESTIONS = "content_p_value double, conditions_p_value double, condition string, reason string"
LAYER = "layer string"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", help="guarded.onnx, on this machine")
parser.add_argument("images", help="the folder")
parser.add_argument("output", help="the folder to make")
arguments = parser.parse_args()

spark = (
    SparkSession.builder.appName("la-ood score")
    # Images that a Python process has in memory at once.
    .config("spark.sql.execution.arrow.maxRecordsPerBatch", 32)
    # Opening a file counts as 64 KiB and not as 4 MiB, or a task would be thirty small images.
    .config("spark.sql.files.openCostInBytes", 2**16)
    .getOrCreate()
)
spark.sparkContext.addPyFile(guarded.__file__)
spark.sparkContext.addFile(arguments.model)
model = os.path.basename(arguments.model)
explained = LAYER if guarded.load(arguments.model).by_layers else QUESTIONS
folder = arguments.images if "://" in arguments.images else os.path.abspath(arguments.images)


def score(frames):
    for frame in frames:
        rows = guarded.load(SparkFiles.get(model)).rows(folder, frame["path"], frame["content"])
        yield pd.DataFrame(rows)


# Endings in small letters and capitals: *.{[jJ][pP][gG],…}
endings = ("".join(f"[{letter}{letter.upper()}]" for letter in ending) for ending in guarded.IMAGE_ENDINGS)
spark.read.format("binaryFile").load(
    folder, recursiveFileLookup=True, pathGlobFilter=f"*.{{{','.join(endings)}}}"
).mapInPandas(score, f"{COLUMNS}, {explained}").write.parquet(arguments.output)
