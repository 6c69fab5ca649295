#!/usr/bin/env bash
# Parity tests: everything that has a Python original is compared with it, in a Python environment made here.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv="${LA_OOD_VENV:-.venv}"
if [ ! -x "$venv/bin/python" ]; then python3 -m venv "$venv"; fi
"$venv/bin/python" -c 'import torch, sklearn, scipy, h5py, lmdb, pyarrow, onnx, onnxruntime, onnxscript, PIL, importlib.util
assert importlib.util.find_spec("pytorch_ood")' 2>/dev/null ||
  "$venv/bin/pip" install --quiet torch==2.13.0 scikit-learn scipy h5py lmdb pyarrow onnx onnxruntime onnxscript 'pillow>=13' pytorch-ood==0.4.0
LA_OOD_VENV="$venv" bash test/parity/build-tfjs-node.sh
# The tests of training take the fastest backend that there is: here TensorFlow, in `npm test` plain JavaScript.
if [ $# = 0 ]; then set -- 'test/parity/**/*.test.ts' 'test/training/**/*.test.ts' test/cli/training.test.ts; fi
LA_OOD_PYTHON="$(cd "$venv/bin" && pwd)/python" exec npx mocha --config test/parity/.mocharc.json "$@"
