#!/usr/bin/env bash
# The recipes for clusters, run for real: Ray, Spark and Triton's server on this machine, in a Python environment made here.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv="${LA_OOD_CLUSTER_VENV:-.venv-cluster}"
if [ ! -x "$venv/bin/python" ]; then python3 -m venv "$venv"; fi
"$venv/bin/python" -c 'import ray.data, pyspark, tritonclient.http, onnxruntime, PIL' 2>/dev/null ||
  "$venv/bin/pip" install --quiet 'ray[data]==2.60.0' pyspark==4.3.0 'pandas<3' 'tritonclient[http]==2.73.0' onnxruntime 'pillow>=13'
# Triton's server, in a package for Linux on x86-64. Its Python backend takes NumPy 1, which lies apart from the others' NumPy.
if [ ! -d "$venv/numpy1" ]; then
  "$venv/bin/pip" install --quiet --no-deps nvidia-pytriton==0.7.0 &&
    "$venv/bin/pip" install --quiet --no-deps --target "$venv/numpy1" numpy==1.26.4 ||
    echo 'there is no Triton server for this machine'
fi
LA_OOD_PYTHON="$(cd "$venv/bin" && pwd)/python" exec npx mocha 'test/cluster/**/*.test.ts' "$@"
