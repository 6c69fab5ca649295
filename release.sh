#!/usr/bin/env bash
# Packs a release, tries what was packed, and tags the commit that it is of:
#   bash release.sh 0.2.0
# What is published is then that file: npm publish la-ood-0.2.0.tgz
set -euo pipefail
cd "$(dirname "$0")"
version=${1:?which version?}
fail() { echo "$1" >&2; exit 1; }

[ -z "$(git status --porcelain)" ] || fail 'the working tree has changes'
[ "$(node -p 'require("./package.json").version')" = "$version" ] || fail "package.json is of another version than $version"
grep -q "^## $version" CHANGELOG.md || fail "CHANGELOG.md says nothing of $version"
[ -z "$(git tag --list "v$version")" ] || fail "v$version is tagged already"

npm ci
npm run --silent build
package=$(npm pack --silent)
npm run --silent test:package -- "$package"
bash test/install/all.sh "$package"
git tag --annotate "v$version" --message "la-ood $version, $package, SHA-256 $(sha256sum "$package" | cut -d' ' -f1)"
echo "v$version is tagged; $package is what it is of."
