//! `loopgate init --ci`: from a repository to its pipeline. Nothing that is there is changed, but lines are added to
//! `.gitignore`.

use std::io;
use std::path::Path;

use fs_err as fs;

use super::{SCHEMA, recipe_schema, with_schema};
use crate::cli::arguments::CiPlatform;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::output::Output;
use crate::core::OutputFolder;
use crate::core::file::read_bounded;
use crate::core::text::visible;
use crate::recipe::Source;

/// The recipe that the pipeline runs at first.
const RECIPE: &str = "remediation-plan";
/// What runs leave and no commit should have.
const IGNORED: [&str; 2] = ["/.loopgate/", "/loopgate-out/"];
/// The largest `.gitignore`, in bytes.
const LARGEST: usize = 1 << 20;

/// The action and the workflows, each as it stands in this repository.
macro_rules! shared {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../", $name)))),+]
    };
}

const GITHUB: [(&str, &str); 14] = shared![
    ".github/actions/loopgate/action.yml",
    ".github/actions/loopgate/account.sh",
    ".github/actions/loopgate/apply.sh",
    ".github/actions/loopgate/comment.sh",
    ".github/actions/loopgate/fetch.sh",
    ".github/actions/loopgate/install.sh",
    ".github/actions/loopgate/ledger.sh",
    ".github/actions/loopgate/mask.sh",
    ".github/actions/loopgate/plan.sh",
    ".github/actions/loopgate/summary.sh",
    ".github/actions/loopgate/validate.sh",
    ".github/workflows/loopgate-apply.yml",
    ".github/workflows/loopgate-comment.yml",
    ".github/workflows/loopgate-plan.yml",
];
/// The workflows that start those, with what a project chooses.
const GITHUB_OWN: [(&str, &str); 3] = [
    ("loopgate.yaml", include_str!("github.settings.yaml")),
    (".github/workflows/loopgate.yml", include_str!("loopgate.yml")),
    (".github/workflows/loopgate-says.yml", include_str!("loopgate-says.yml")),
];
const GITLAB: [(&str, &str); 3] = [
    ("loopgate.yaml", include_str!("gitlab.settings.yaml")),
    (".gitlab/loopgate.gitlab-ci.yml", include_str!("../../../.github/gitlab/loopgate.gitlab-ci.yml")),
    (".gitlab-ci.yml", include_str!("gitlab-ci.yml")),
];

/// Writes what is not there yet, tells what is, and says what to do next.
pub(super) fn init(platform: CiPlatform, folder: &Path, output: &Output) -> Result<Exit, Fault> {
    let to = OutputFolder::new(folder);
    let source =
        Source::shipped(RECIPE).ok_or_else(|| Fault::internal(io::Error::other("no such recipe")))?;
    let mut files = vec![
        (format!("recipes/{RECIPE}.yaml"), with_schema(&source.text)),
        (format!("recipes/{SCHEMA}"), recipe_schema()?),
    ];
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    match platform {
        CiPlatform::Github => files.extend(GITHUB_OWN.iter().chain(&GITHUB).map(own)),
        CiPlatform::Gitlab => files.extend(GITLAB.iter().map(own)),
    }
    for (name, text) in &files {
        if fs::symlink_metadata(to.root().join(name)).is_ok() {
            output.say(&format!("kept as it is: {}", visible(name)));
            continue;
        }
        let path = to.write(name, text.as_bytes()).map_err(Fault::invalid)?;
        output.data(&format!("{}\n", path.display()))?;
    }
    let ignore = to.root().join(".gitignore");
    let before = match fs::symlink_metadata(&ignore) {
        Ok(_) => read_bounded(&ignore, LARGEST).map_err(Fault::invalid)?,
        Err(_) => Vec::new(),
    };
    if let Some(text) = ignoring(&String::from_utf8_lossy(&before)) {
        let path =
            to.write(".gitignore", &[before.as_slice(), text.as_bytes()].concat()).map_err(Fault::invalid)?;
        output.data(&format!("{}\n", path.display()))?;
    }
    output.say(&next(platform));
    Ok(Exit::Done)
}

/// What is added to a `.gitignore`; nothing where it has it all.
fn ignoring(before: &str) -> Option<String> {
    let has =
        |wanted: &str| before.lines().any(|line| line.trim().trim_matches('/') == wanted.trim_matches('/'));
    let missing: Vec<&str> = IGNORED.into_iter().filter(|wanted| !has(wanted)).collect();
    let joint = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    (!missing.is_empty()).then(|| format!("{joint}{}\n", missing.join("\n")))
}

fn next(platform: CiPlatform) -> String {
    let try_out = format!(
        "next: loopgate run recipes/{RECIPE}.yaml --server sandbox --tenant acme --input release=REL-BLOCKED\n"
    );
    let then = match platform {
        CiPlatform::Github => {
            "then: commit, and protect the default branch\n\
             then: variables LOOPGATE_VERSION, LOOPGATE_REPOSITORY and LOOPGATE_SHA256 of the release to use; secrets \
             LOOPGATE_TOKEN and LOOPGATE_DRY_RUN_TOKEN; environment `production`, of the protected branch alone, \
             with the secret LOOPGATE_WRITE_TOKEN\n\
             then: bash .github/actions/loopgate/ledger.sh init\n\
             then: fill in loopgate.yaml, and take `server: sandbox` out of .github/workflows/loopgate.yml\n"
        }
        CiPlatform::Gitlab => {
            "then: commit, and protect the default branch and the environment `production`\n\
             then: the variables that .gitlab/loopgate.gitlab-ci.yml names; where .gitlab-ci.yml was kept, include that \
             file in it\n\
             then: fill in loopgate.yaml, and start the job loopgate:ledger once\n\
             then: a schedule of the default branch, for the job loopgate:say that tells merge requests what is planned\n"
        }
    };
    format!("{try_out}{then}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_added_to_what_is_ignored() {
        assert_eq!(ignoring("").as_deref(), Some("/.loopgate/\n/loopgate-out/\n"));
        assert_eq!(ignoring("/target").as_deref(), Some("\n/.loopgate/\n/loopgate-out/\n"));
        assert_eq!(ignoring("loopgate-out\n").as_deref(), Some("/.loopgate/\n"));
        assert_eq!(ignoring("/.loopgate\nloopgate-out/\n"), None);
    }
}
