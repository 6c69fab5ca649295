#!/usr/bin/env bash
# What a package has to be: publint and are-the-types-wrong take it, its types compile where nothing of them is skipped, the
# examples in its docstrings compile, and importing it loads no native library and starts nothing; what it takes is printed.
#   test/install/package.sh PACKAGE.tgz
set -euo pipefail
package=$(realpath "$1")
cd "$(dirname "$0")/../.."
elsewhere=$(mktemp -d)
trap 'rm -r "$elsewhere"' EXIT

npx publint "$package" --strict
npx attw "$package" --profile esm-only --format table-flipped --no-color

version() { node -p "require('./package.json').devDependencies['$1']"; }
typescript=$(version typescript) types=$(version @types/node)
node --import tsx test/install/examples.ts "$elsewhere"
cd "$elsewhere"
echo '{ "type": "module" }' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts "$package" "typescript@$typescript" "@types/node@$types"
options='--noEmit --strict --target es2023 --skipLibCheck false'
# shellcheck disable=SC2086
npx tsc $options --lib es2023 --types node --module nodenext --moduleResolution nodenext node/*.ts
# shellcheck disable=SC2086
npx tsc $options --lib es2023,dom,dom.iterable,dom.asynciterable --types '' --module esnext --moduleResolution bundler browser/*.ts
# shellcheck disable=SC2086
npx tsc $options --lib es2023,dom,dom.iterable --types node --module esnext --moduleResolution bundler node/*.ts
echo 'types compile: nodenext, bundler; skipLibCheck false'

for entry in la-ood la-ood/checkpoints la-ood/guard la-ood/methods la-ood/onnx la-ood/training; do
  node --input-type=module -e '
    const [entry] = process.argv.slice(1);
    const globals = Object.keys(globalThis).join();
    await import(entry);
    const { user, system } = process.cpuUsage();
    const seconds = (user + system) / 1e6;
    const memory = process.memoryUsage.rss() / 2 ** 20;
    console.log(`node and ${entry} start in ${seconds.toFixed(2)} s of processor time, ${memory.toFixed(0)} MiB`);
    const active = process.getActiveResourcesInfo().filter((name) => /Timeout|Worker|Port|TCP|UDP|Process/.test(name));
    if (active.length > 0) throw new Error(`importing it starts ${active}`);
    if (Object.keys(globalThis).join() !== globals) throw new Error("importing it changes the globals");
    const loaded = process.report.getReport().sharedObjects.filter((path) => path.includes("node_modules"));
    if (loaded.length > 0) throw new Error(`importing it loads ${loaded}`);
  ' "$entry"
done
