"""The rows in a folder of Parquet, as JSON: `rows.py FOLDER`."""

import json
import sys

import pyarrow.parquet

json.dump(pyarrow.parquet.read_table(sys.argv[1]).to_pylist(), sys.stdout)
