#!/usr/bin/env bash
# Puts loopgate on the path: the runner's own, or a release's once its digest or its provenance holds.
set -euo pipefail

if [ -z "${VERSION-}" ]; then
  if ! command -v loopgate >/dev/null; then
    echo "::error::loopgate is not on this runner: name a release with version, repository and sha256"
    exit 3
  fi
else
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    Darwin-x86_64) target=x86_64-apple-darwin ;;
    *) echo "::error::no release has a binary for $(uname -s) on $(uname -m)" && exit 3 ;;
  esac
  folder=${RUNNER_TEMP:?}/loopgate-bin
  archive=loopgate-$target.tar.gz
  mkdir -p "$folder"
  gh release download "$VERSION" --repo "$REPOSITORY" --pattern "$archive" --dir "$folder" --clobber
  if [ -n "${SHA256-}" ]; then
    found=$(openssl dgst -sha256 -r "$folder/$archive")
    if [ "${found%% *}" != "$SHA256" ]; then
      echo "::error::$archive of $VERSION has the digest ${found%% *}, and not the one that was named"
      exit 22
    fi
  else
    gh attestation verify "$folder/$archive" --repo "$REPOSITORY"
  fi
  tar -xzf "$folder/$archive" -C "$folder" loopgate
  echo "$folder" >>"${GITHUB_PATH:?}"
  PATH=$folder:$PATH
fi
echo "version=$(loopgate --version)" >>"${GITHUB_OUTPUT:?}"
