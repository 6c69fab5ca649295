#!/usr/bin/env bash
# Puts a working @tensorflow/tfjs-node into node_modules, where its binaries cannot be downloaded too: the addon is
# compiled from the package's own source against the TensorFlow of the PyPI wheel. Needs g++, Node's headers and the
# parity environment's pip. What was made once is kept in that environment, so that it survives `npm ci`: node_modules gets a
# link. (npm itself removes an optional peer that it is asked to install without saving it.)
set -euo pipefail
cd "$(dirname "$0")/../.."
version=4.22.0
tensorflow=2.21.0
venv="${LA_OOD_VENV:-.venv}"
link=node_modules/@tensorflow/tfjs-node

works() { node -e "require('@tensorflow/tfjs-node').scalar(1).dataSync()" >/dev/null 2>&1; }
if works; then exit 0; fi

if [ ! -x "$venv/bin/pip" ]; then
  echo "$0: there is no $venv/bin/pip; npm run test:parity makes that environment" >&2
  exit 1
fi
libraries="$(cd "$venv" && pwd)/tensorflow-$tensorflow"
if [ ! -e "$libraries/tfjs_binding-$version.node" ]; then
  headers="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")/include/node"
  if [ ! -e "$headers/node_api.h" ]; then
    echo "$0: Node's headers are not in $headers" >&2
    exit 1
  fi
fi
home="$(cd "$venv" && pwd)/tfjs-node-$version"
package=$home/node_modules/@tensorflow/tfjs-node
if [ ! -e "$package/package.json" ]; then
  mkdir -p "$home"
  echo '{ "private": true }' >"$home/package.json"
  npm install --prefix "$home" --ignore-scripts --no-audit --no-fund "@tensorflow/tfjs-node@$version"
fi

if [ ! -e "$libraries/tfjs_binding-$version.node" ]; then
  part=$(mktemp -d "$venv/tensorflow.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  "$venv/bin/pip" download --quiet --no-deps --dest "$part" "tensorflow-cpu==$tensorflow"
  (cd "$part" && "../bin/python" - <<'PYTHON'
from glob import glob
from zipfile import ZipFile

wheel = ZipFile(glob("*.whl")[0])
libraries = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2")
wheel.extractall(members=[n for n in wheel.namelist() if n in libraries or n.startswith("tensorflow/include/")])
PYTHON
  )
  mkdir -p "$libraries"
  mv -f "$part"/tensorflow/lib*.so.2 "$libraries"
  g++ -shared -fPIC -O2 -std=c++17 -w -I"$headers" -I"$part/tensorflow/include" -I"$package" -I"$package/.." \
    "$package/binding/tfjs_backend.cc" "$package/binding/tfjs_binding.cc" -o "$part/addon.node" \
    -L"$libraries" -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 -Wl,-rpath,"$libraries"
  mv "$part/addon.node" "$libraries/tfjs_binding-$version.node"
fi
mkdir -p "$package/lib/napi-v8" "$(dirname "$link")"
cp "$libraries/tfjs_binding-$version.node" "$package/lib/napi-v8/tfjs_binding.node"
rm -rf "$link"
ln -s "$package" "$link"

if ! works; then
  node -e "require('@tensorflow/tfjs-node').scalar(1).dataSync()"
fi
