#!/usr/bin/env bash
# Keeps a ledger file on a branch of its own, for runners that are thrown away: `init`, `fetch`, `keep`.
#
# A runner that dies between a write and `keep` takes what it recorded along; where that must not be, LOOPGATE_LEDGER
# names a ledger that outlives it, and `fetch` and `keep` do nothing.
set -euo pipefail

branch=loopgate-ledger
folder=${RUNNER_TEMP:-.loopgate}/ledger
reference=refs/loopgate/ledger
if [ -n "${GH_TOKEN-}" ] && [ -n "${GITHUB_SERVER_URL-}" ]; then
  # In the environment, where no list of processes shows it.
  GIT_CONFIG_COUNT=1
  GIT_CONFIG_KEY_0=http.$GITHUB_SERVER_URL/.extraheader
  GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $(printf 'x-access-token:%s' "$GH_TOKEN" | openssl base64 -A)"
  export GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0
fi

# A commit with the files of the ledger, on top of the one that was fetched, where there was one.
keep() {
  local tree commit name blob
  tree=$(for name in ledger.db ledger.db-wal; do
    [ -f "$folder/$name" ] || continue
    blob=$(git hash-object -w "$folder/$name")
    printf '100644 blob %s\t%s\n' "$blob" "$name"
  done | git mktree)
  commit=$(git -c user.name=loopgate -c user.email=loopgate@localhost commit-tree "$@" -m "ledger" "$tree")
  # Without force: a branch that moved meanwhile is another runner's, and nothing of it is lost.
  git push --quiet origin "$commit:refs/heads/$branch"
}

case ${1-} in
  init)
    mkdir -p "$folder"
    loopgate ledger init --ledger "sqlite:$folder/ledger.db"
    keep
    ;;
  fetch)
    if [ -n "${LOOPGATE_LEDGER-}" ]; then exit 0; fi
    mkdir -p "$folder"
    if ! git fetch --quiet --depth 1 origin "+refs/heads/$branch:$reference"; then
      echo "::error title=loopgate::there is no ledger on the branch $branch: bash .github/actions/loopgate/ledger.sh init"
      exit 40
    fi
    rm -f "$folder"/ledger.db*
    for name in $(git ls-tree --name-only "$reference"); do
      case $name in ledger.db | ledger.db-wal) git cat-file blob "$reference:$name" >"$folder/$name" ;; esac
    done
    echo "LOOPGATE_LEDGER=sqlite:$folder/ledger.db" >>"${GITHUB_ENV:?}"
    ;;
  keep)
    [ -f "$folder/ledger.db" ] || exit 0
    keep -p "$reference"
    ;;
  *)
    echo "usage: ledger.sh init|fetch|keep" >&2
    exit 2
    ;;
esac
