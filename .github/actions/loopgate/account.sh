#!/usr/bin/env bash
# Leaves what an apply is accounted for with: the audit report of the ledger, its statement, the artifact.
set -euo pipefail

[ -z "${SECRET_LEDGER-}" ] || export LOOPGATE_LEDGER=$SECRET_LEDGER
work=${RUNNER_TEMP:?}/loopgate
kept=$work/account
mkdir -p "$kept"
cp "$work/plan/artifact.json" "$kept/artifact.json"
[ -f "$work/audit.json" ] || loopgate audit report "$work/plan/artifact.json" --out "$work/audit.json"
cp "$work/audit.json" "$kept/audit.json"
loopgate audit verify "$kept/audit.json"
loopgate audit statement "$kept/audit.json" >"$kept/statement.json"
