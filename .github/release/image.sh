#!/usr/bin/env bash
# Builds the image for this machine's kind from the archive of this release, and pushes it; or, with `join`, makes one
# image of those for both kinds.
set -euo pipefail

image=${REGISTRY_IMAGE:?}
printf '%s' "${REGISTRY_PASSWORD:?}" | docker login --username "${REGISTRY_USER:?}" --password-stdin "${image%%/*}"
if [ "${1-}" = join ]; then
  exec docker buildx imagetools create --tag "$image:${GITHUB_REF_NAME:?}" "$image:$GITHUB_REF_NAME-x86_64" \
    "$image:$GITHUB_REF_NAME-aarch64"
fi
kind=$(uname -m)
gh release download "${GITHUB_REF_NAME:?}" --repo "${GITHUB_REPOSITORY:?}" --dir context --pattern "loopgate-$kind-*.tar.gz"
tar -xzf context/loopgate-"$kind"-unknown-linux-musl.tar.gz -C context loopgate
docker build --file .github/Containerfile --tag "$image:$GITHUB_REF_NAME-$kind" context
exec docker push "$image:$GITHUB_REF_NAME-$kind"
