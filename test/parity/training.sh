#!/usr/bin/env bash
# Parity of training: on onnxruntime, and on TensorFlow.js, which is built here for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
source test/parity/environment.sh
LA_OOD_VENV="$venv" bash test/parity/build-tfjs-node.sh
if [ $# = 0 ]; then
  set -- 'test/parity/{training,gradient}*.test.ts'
fi
exec npx mocha "$@"
