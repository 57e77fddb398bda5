#!/usr/bin/env bash
# Tells the runner what is secret and did not come from its own secrets, so that whatever prints it shows stars. The
# program never does this: its output may go to a file too.
set -euo pipefail

while IFS= read -r line; do
  case $line in
    "") continue ;;
    "env: "*)
      value=$(printenv -- "${line#env: }") || value=
      ;;
    "file: "*)
      value=$(cat -- "${line#file: }") || value=
      ;;
    *)
      echo "::error title=loopgate::mask has lines of env: NAME or file: PATH"
      exit 2
      ;;
  esac
  if [ -z "$value" ]; then
    echo "::error title=loopgate::mask names what is not there or empty: it would not be hidden"
    exit 3
  fi
  while IFS= read -r part || [ -n "$part" ]; do
    part=${part%$'\r'}
    # A brace of a JSON file would turn every log into stars.
    [ "${#part}" -ge 4 ] || continue
    part=${part//%/%25}
    echo "::add-mask::${part//$'\r'/%0D}"
  done <<<"$value"
done <<<"${MASK-}"
