#!/usr/bin/env bash
# Applies what `fetch.sh` found, under the approval that APPROVAL names the kind of: review, environment or armor. It
# becomes the program, so that a runner's signal reaches it.
set -euo pipefail

work=${RUNNER_TEMP:?}/loopgate
artifact=$work/plan/artifact.json
if [ "${GITHUB_REF_PROTECTED-}" != true ]; then
  echo "::error title=loopgate::$GITHUB_REF is not protected, so anybody who pushes to it could say what is applied"
  exit 3
fi
# Not given is another thing than empty.
[ -n "${LOOPGATE_SERVER-}" ] || unset LOOPGATE_SERVER
[ -z "${SECRET_LEDGER-}" ] || export LOOPGATE_LEDGER=$SECRET_LEDGER
case ${APPROVAL:-review} in
  review | environment)
    from=(--from "github-${APPROVAL:-review}" --platform "$work/answers")
    ids=$(loopgate approve "$artifact" "${from[@]}")
    exec loopgate apply "$artifact" --approval-id "${ids%%$'\n'*}" "${from[@]}" --audit "$work/audit.json"
    ;;
  armor)
    id=$(loopgate status "$artifact" --approvals - --format json <"$work/comments.txt" 2>/dev/null |
      jq -r '.verdict.approval_id // empty')
    if [ -z "$id" ]; then
      loopgate status "$artifact" --approvals - <"$work/comments.txt" >&2
      echo "::error title=loopgate::no comment has an approval of this effect that verifies"
      exit 20
    fi
    exec loopgate apply "$artifact" --approval-id "$id" --approvals - --audit "$work/audit.json" <"$work/comments.txt"
    ;;
  *)
    echo "::error title=loopgate::approval is review, environment or armor"
    exit 2
    ;;
esac
