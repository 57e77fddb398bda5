#!/usr/bin/env bash
# What a plan came to, as outputs of the step and on the run's page; in a public repository digests and counts alone.
set -euo pipefail

out=loopgate-out
private=$(jq -r '.repository.private == true' "${GITHUB_EVENT_PATH:?}")
if [ -f "$out/artifact.json" ] && loopgate show "$out/artifact.json" --format json >"${RUNNER_TEMP:?}/shown.json"; then
  digest=$(jq -r .effect_digest "$RUNNER_TEMP/shown.json")
  count=$(jq '.operations | length' "$RUNNER_TEMP/shown.json")
  printf 'effect-digest=%s\noperations=%s\n' "$digest" "$count" >>"${GITHUB_OUTPUT:?}"
  case $count in 1) what="1 operation is" ;; *) what="$count operations are" ;; esac
  [ "$private" = true ] || echo "$what planned: \`$digest\`" >>"${GITHUB_STEP_SUMMARY:?}"
fi
if [ "$private" = true ] && [ -f "$out/summary.md" ]; then
  cat "$out/summary.md" >>"${GITHUB_STEP_SUMMARY:?}"
fi
