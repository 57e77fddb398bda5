#!/usr/bin/env bash
# Finds what a merge is to apply: the merged pull request, its last run that planned, the artifact of that run, and
# what was said of it. All of it is untrusted; `apply` decides what it is worth.
set -euo pipefail

repository=${GITHUB_REPOSITORY:?}
work=${RUNNER_TEMP:?}/loopgate
answers=$work/answers
mkdir -p "$answers"
# As what a pull request was merged is said in the answers of this version, and in those of the next no more.
api() { gh api --header 'X-GitHub-Api-Version: 2022-11-28' "$@"; }
output() { echo "$1" >>"${GITHUB_OUTPUT:?}"; }
nothing() {
  echo "::notice title=loopgate::$1: there is nothing to apply"
  output found=false
  exit 0
}

if [ "${APPROVAL:-review}" = environment ]; then
  # The run that plans is this one, and its job left the artifact.
  run=${GITHUB_RUN_ID:?}
  api "repos/$repository/actions/runs/$run/approvals" >"$answers/approvals.json"
else
  file=${GITHUB_WORKFLOW_REF%%@*}
  pull=$(api --paginate --slurp "repos/$repository/commits/${GITHUB_SHA:?}/pulls?per_page=100" |
    jq -r --arg sha "$GITHUB_SHA" --arg branch "${GITHUB_REF_NAME:?}" \
      '[.[][] | select(.merge_commit_sha == $sha and .merged_at != null and .base.ref == $branch)] | .[0].number // empty')
  [ -n "$pull" ] || nothing "no pull request was merged as $GITHUB_SHA"
  api "repos/$repository/pulls/$pull" >"$answers/pull.json"
  head=$(jq -r .head.sha "$answers/pull.json")
  run=$(api --method GET "repos/$repository/actions/workflows/${file##*/}/runs" -f event=pull_request \
    -f head_sha="$head" -f per_page=100 |
    jq -r --arg repository "$repository" '[.workflow_runs[]
      | select(.conclusion == "success" and .head_repository.full_name == $repository)]
      | max_by(.id).id // empty')
  [ -n "$run" ] || nothing "no run planned $head"
  if [ "${APPROVAL:-review}" = review ]; then
    api --paginate --slurp "repos/$repository/pulls/$pull/reviews?per_page=100" >"$answers/reviews.json"
    api --paginate --slurp "repos/$repository/pulls/$pull/commits?per_page=100" >"$answers/commits.json"
  else
    {
      # A first line that is no JSON: no comment makes all of it be read as something else.
      echo "comments of pull request $pull"
      api --paginate --slurp "repos/$repository/issues/$pull/comments?per_page=100" |
        jq -r '.[][] | select(.author_association | IN("OWNER", "MEMBER", "COLLABORATOR")) | .body'
    } >"$work/comments.txt"
  fi
fi
api "repos/$repository/actions/runs/$run" >"$answers/run.json"
gh run download "$run" --repo "$repository" --name loopgate-plan --dir "$work/plan"
if [ ! -f "$work/plan/artifact.json" ] || [ -L "$work/plan/artifact.json" ]; then
  nothing "run $run planned no change"
fi
count=$(loopgate show "$work/plan/artifact.json" --format json | jq '.operations | length')
[ "$count" -gt 0 ] || nothing "run $run planned no change"
output found=true
output "run=$run"
