#!/usr/bin/env bash
# Parity of training, and the tests of training once more: here on TensorFlow, in `npm test` on plain JavaScript.
set -euo pipefail
cd "$(dirname "$0")/../.."
source test/parity/environment.sh
LA_OOD_VENV="$venv" bash test/parity/build-tfjs-node.sh
if [ $# = 0 ]; then
  set -- 'test/parity/{training,gradient}*.test.ts' 'test/training/**/*.test.ts' test/cli/training.test.ts
fi
exec npx mocha "$@"
