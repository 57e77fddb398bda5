#!/usr/bin/env bash
# Plans. It becomes the program, so that a runner's signal reaches it.
#
# RECIPE is a file or the name of a shipped recipe; INPUTS are NAME=VALUE, REPORTS are FORMAT=PATH, one a line.
set -euo pipefail

case ${RECIPE:?} in
  *.yaml | *.yml) arguments=(run "$RECIPE") ;;
  *) arguments=("$RECIPE") ;;
esac
while IFS= read -r input; do
  [ -z "$input" ] || arguments+=("--input=$input")
done <<<"${INPUTS-}"
while IFS= read -r report; do
  [ -z "$report" ] || arguments+=("--report=$report")
done <<<"${REPORTS-}"
# Not given is another thing than empty.
[ -n "${LOOPGATE_SERVER-}" ] || unset LOOPGATE_SERVER
[ -n "${LOOPGATE_TENANT-}" ] || unset LOOPGATE_TENANT
exec loopgate "${arguments[@]}"
