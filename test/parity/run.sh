#!/usr/bin/env bash
# Parity tests: everything that has a Python original is compared with it. Arguments are mocha's; without any, training is
# left to training.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
source test/parity/environment.sh
if [ $# = 0 ]; then set -- --parallel --jobs 2 --ignore 'test/parity/{training,gradient}*'; fi
case "$*" in *.test.ts*) ;; *) set -- "$@" 'test/parity/**/*.test.ts' ;; esac
exec npx mocha "$@"
