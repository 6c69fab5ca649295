#!/usr/bin/env bash
# The package by versions of Node that it runs on, each with an npm of its time:
#   test/install/all.sh [PACKAGE.tgz] [NODE…]    packs one where none is given; 20.19.0, 22, 24 and 26 where none is named
set -euo pipefail
if [[ ${1:-} == *.tgz ]]; then package=$(realpath "$1") && shift; fi
cd "$(dirname "$0")/../.."
if [ -z "${package:-}" ]; then
  npm run --silent build
  package="$PWD/$(npm pack --silent)"
  trap 'rm "$package"' EXIT
fi
declare -A npm=([20.19.0]=10 [22]=10 [24]=11 [26]=11)
if [ $# = 0 ]; then set -- 20.19.0 22 24 26; fi
for node in "$@"; do bash test/install/run.sh "$package" "$node" "${npm[$node]}"; done
