#!/usr/bin/env bash
# Publishes what the other jobs of this run left in `dist`, with the digests of all of it.
set -euo pipefail

gh run download "${GITHUB_RUN_ID:?}" --repo "${GITHUB_REPOSITORY:?}" --dir parts
mkdir -p dist
find parts -type f -exec mv -t dist {} +
(cd dist && sha256sum -- * >SHA256SUMS)
exec gh release create "${GITHUB_REF_NAME:?}" --repo "$GITHUB_REPOSITORY" --verify-tag --title "$GITHUB_REF_NAME" \
  --notes-file .github/release/notes.md dist/*
