"""Holds every script that stands in a pipeline's YAML against shellcheck, as the shell that runs it would read it."""

import subprocess
import sys

from ruamel.yaml import YAML

failed = False
for path in sys.argv[1:]:
    with open(path) as file:
        document = YAML(typ="safe").load(file)
    jobs = document.get("jobs", document)
    for name, job in jobs.items():
        if not isinstance(job, dict):
            continue
        scripts = [(step.get("run"), "bash") for step in job.get("steps", [])]
        scripts += [(script, "sh") for script in job.get("script", [])]
        for script, shell in scripts:
            if script is None:
                continue
            # GitLab's runner reads with `set -eo pipefail`; GitHub's starts bash with `-e`.
            ran = subprocess.run(
                ["shellcheck", f"--shell={shell}", "-"], input=f"set -e\n{script}", text=True
            )
            if ran.returncode != 0:
                print(f"{path}: {name}", file=sys.stderr)
                failed = True
sys.exit(failed)
