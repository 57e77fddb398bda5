#!/usr/bin/env bash
# Makes a release's archive of the program that was built for TARGET, after it has shown that it runs.
set -euo pipefail

built=target/${TARGET:?}/release
name=loopgate
[ -f "$built/$name" ] || name=loopgate.exe
"$built/$name" --version
# The main job, against the sandbox that is in the program.
scratch=$(mktemp -d)
"$built/$name" remediation-plan --server "sandbox:$scratch/sandbox.db" --tenant acme --release REL-BLOCKED \
  --out "$scratch/out" --quiet >/dev/null
rm -rf "$scratch"
case $TARGET in
  *-linux-musl)
    if ! file "$built/$name" | grep -Eq 'statically linked|static-pie linked'; then
      echo "::error::the program for $TARGET is not static"
      exit 1
    fi
    ;;
esac
mkdir -p dist
tar -czf "dist/loopgate-$TARGET.tar.gz" -C "$built" "$name" -C "$PWD" LICENSE README.md
