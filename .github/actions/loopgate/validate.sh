#!/usr/bin/env bash
# What a fork's pull request gets: its recipe is validated, without a credential and without a server.
set -euo pipefail

said="A fork's pull request gets no credential: the recipe was validated, and nothing was planned."
echo "::notice title=loopgate::$said"
echo "$said" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
case ${RECIPE:?} in
  *.yaml | *.yml) exec loopgate validate "$RECIPE" ;;
  *) exec loopgate show "$RECIPE" ;;
esac
