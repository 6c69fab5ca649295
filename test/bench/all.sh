#!/usr/bin/env bash
# Benchmarks on as little as they take: whether they run and compare, not how fast anything is. Left out are those that take
# long or need more files on whatever they are given: growth, detectors, methods-bank, real, server, fine-tuning.
set -uo pipefail
cd "$(dirname "$0")/../.."
source test/parity/environment.sh
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
passed=0 failed=0 skipped=0

bench() {
  echo "-- bench $*"
  if npm run --silent bench -- "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "failed: bench $*"; fi
}

npm run --silent build && node dist/src/cli/main.js demo --run "$folder/demo" --quiet >/dev/null || exit 1
bench folder --images 2000 --classes 20
bench features --models resnet20 --images 32 --rounds 1
bench scoring --run "$folder/demo" --rows 200
bench guard --run "$folder/demo" --batches 8 --rounds 1
bench methods-speed --images 500 --queries 100 --width 64 --rounds 1
bench methods --run "$folder/demo" --methods msp,knn --resamples 5
bench training --models resnet20 --batch 8 --steps 1 --rounds 1 --memory 0
bench import --models resnet18
if [ -n "${LA_OOD_REFERENCE:-}" ]; then
  bench data --photographs 16 --rounds 1 --models resnet20
else
  skipped=$((skipped + 1))
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
