#!/usr/bin/env bash
# The package by every version of Node that it runs on, each with an npm of its time:
#   test/install/all.sh [PACKAGE.tgz]    packs one where none is given
set -euo pipefail
package=${1:+$(realpath "$1")}
cd "$(dirname "$0")/../.."
if [ -z "$package" ]; then
  npm run --silent build
  package="$PWD/$(npm pack --silent)"
  trap 'rm "$package"' EXIT
fi
for versions in '20.19.0 10' '22 10' '24 11' '26 11'; do
  # shellcheck disable=SC2086
  bash test/install/run.sh "$package" $versions
done
