#!/usr/bin/env bash
# Says on the pull request what its run planned, in one comment that is updated in place.
#
# It runs in a workflow of the protected branch, after the run. What the run left is untrusted: `show` holds the
# artifact against its own digests and escapes whatever it says.
set -euo pipefail

marker='<!-- loopgate: what is planned -->'
# Below the platform's limit of 65536 characters.
most=60000
event=${GITHUB_EVENT_PATH:?}
repository=${GITHUB_REPOSITORY:?}
said() { jq -r "$1 // empty" "$event"; }
# The answers of this version are those that are read here, whichever a newer `gh` would ask for.
api() { gh api --header 'X-GitHub-Api-Version: 2022-11-28' "$@"; }

run=$(said .workflow_run.id)
head=$(said .workflow_run.head_sha)
from=$(said .workflow_run.head_repository.full_name)
branch=$(said .workflow_run.head_branch)
conclusion=$(said .workflow_run.conclusion)

pull=$(api --method GET "repos/$repository/pulls" -f state=open -f head="${from%%/*}:$branch" -f per_page=100 |
  jq -r --arg head "$head" --arg from "$from" \
    'map(select(.head.sha == $head and .head.repo.full_name == $from)) | .[0].number // empty')
if [ -z "$pull" ]; then
  echo "::notice title=loopgate::no open pull request has the commit of this run; nothing to say"
  exit 0
fi

work=$(mktemp -d "${RUNNER_TEMP:-/tmp}/loopgate-comment.XXXXXX")
body=$work/body.md
link=${GITHUB_SERVER_URL:?}/$repository/actions/runs/$run

planned() {
  gh run download "$run" --repo "$repository" --name loopgate-plan --dir "$work/plan" >&2 &&
    [ -f "$work/plan/artifact.json" ] && [ ! -L "$work/plan/artifact.json" ] &&
    loopgate show "$work/plan/artifact.json" --format json >"$work/shown.json"
}

{
  echo "$marker"
  if [ "$from" != "$repository" ]; then
    echo "**loopgate** · a fork's pull request gets no credential: its recipe was validated, and nothing was planned."
  elif [ "$conclusion" != success ]; then
    echo "**loopgate** · [the run]($link) for \`$head\` ended as \`$conclusion\`: it says why. Nothing can be approved."
  elif ! planned; then
    echo "**loopgate** · [the run]($link) for \`$head\` left no artifact that can be read: there is nothing to approve."
  else
    digest=$(jq -r .effect_digest "$work/shown.json")
    count=$(jq '.operations | length' "$work/shown.json")
    short=${digest#sha256:}
    short=${short:0:16}
    case $count in 1) what="1 operation is" ;; *) what="$count operations are" ;; esac
    echo "**loopgate** · $what planned for \`$head\` in [this run]($link)."
    echo
    echo "| | |"
    echo "|---|---|"
    echo "| effect digest | \`$digest\` |"
    echo "| file digest | \`$(jq -r .file_digest "$work/shown.json")\` |"
    echo "| operations | $count |"
    echo
    if [ "$(jq -r 'if .repository.private == true then "private" else "public" end' "$event")" = public ]; then
      echo "What they say is not shown in a public repository."
    else
      loopgate show "$work/plan/artifact.json" --format markdown >"$work/shown.md"
      size=$(($(wc -c <"$work/shown.md")))
      if [ "$size" -gt "$most" ]; then
        echo "The plan has $size bytes and does not fit into a comment. It is never cut: see all of it with \`show\`."
      else
        cat "$work/shown.md"
      fi
    fi
    if [ "$count" -gt 0 ]; then
      echo
      case ${APPROVAL:-review} in
        review)
          echo "To approve, give a review that approves this pull request and whose text holds \`$short\`."
          ;;
        environment)
          echo "It is planned again after the merge, and approved there, in the environment."
          ;;
        *)
          echo "To approve, type this and paste what it prints as a comment here:"
          echo
          echo '```sh'
          echo "gh run download $run --repo $repository --name loopgate-plan --dir loopgate-out"
          echo "loopgate approve --sign --reason TEXT --digest $short --armor"
          echo '```'
          ;;
      esac
    fi
  fi
} >"$body"

known=$(api --paginate --slurp "repos/$repository/issues/$pull/comments?per_page=100" |
  jq -r --arg marker "$marker" \
    '[.[][] | select(.user.login == "github-actions[bot]" and (.body | startswith($marker)))] | .[0].id // empty')
if [ -n "$known" ]; then
  set -- --method PATCH "repos/$repository/issues/comments/$known"
else
  set -- --method POST "repos/$repository/issues/$pull/comments"
fi
jq -n --rawfile body "$body" '{ body: $body }' | api "$@" --input - --silent
