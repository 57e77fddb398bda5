//! The pipeline that runs this, in its own words.

use super::environment::Environment;
use crate::core::text::cut;
use crate::ledger::v1::Ci;

/// The longest value, in bytes.
const LONGEST: usize = 500;

/// The variables of one kind of pipeline, in the order of [`Ci`]'s members without `url`.
struct Provider {
    name: &'static str,
    /// Set by this kind and no other.
    mark: &'static str,
    repository: &'static str,
    revision: &'static str,
    reference: &'static str,
    workflow: &'static str,
    job: &'static str,
    actor: &'static str,
}

const PROVIDERS: [Provider; 4] = [
    Provider {
        name: "github",
        mark: "GITHUB_ACTIONS",
        repository: "GITHUB_REPOSITORY",
        revision: "GITHUB_SHA",
        reference: "GITHUB_REF",
        workflow: "GITHUB_WORKFLOW",
        job: "GITHUB_RUN_ID",
        actor: "GITHUB_ACTOR",
    },
    Provider {
        name: "gitlab",
        mark: "GITLAB_CI",
        repository: "CI_PROJECT_PATH",
        revision: "CI_COMMIT_SHA",
        reference: "CI_COMMIT_REF_NAME",
        workflow: "CI_PIPELINE_ID",
        job: "CI_JOB_ID",
        actor: "GITLAB_USER_LOGIN",
    },
    Provider {
        name: "azure",
        mark: "TF_BUILD",
        repository: "BUILD_REPOSITORY_NAME",
        revision: "BUILD_SOURCEVERSION",
        reference: "BUILD_SOURCEBRANCH",
        workflow: "BUILD_DEFINITIONNAME",
        job: "BUILD_BUILDID",
        actor: "BUILD_REQUESTEDFOREMAIL",
    },
    Provider {
        name: "buildkite",
        mark: "BUILDKITE",
        repository: "BUILDKITE_REPO",
        revision: "BUILDKITE_COMMIT",
        reference: "BUILDKITE_BRANCH",
        workflow: "BUILDKITE_PIPELINE_SLUG",
        job: "BUILDKITE_JOB_ID",
        actor: "BUILDKITE_BUILD_CREATOR",
    },
];

impl Environment {
    /// The pipeline, where this is one. URLs come without a name or password in them.
    pub fn ci(&self) -> Option<Ci> {
        if !self.is_ci() {
            return None;
        }
        let Some(provider) = PROVIDERS.iter().find(|provider| self.get(provider.mark).is_some()) else {
            let actor = self.person().map(|name| short(&name));
            return Some(Ci { provider: "other".to_owned(), actor, ..Ci::default() });
        };
        let said = |name: &str| self.get(name).map(short);
        Some(Ci {
            provider: provider.name.to_owned(),
            repository: said(provider.repository),
            revision: said(provider.revision),
            reference: said(provider.reference),
            workflow: said(provider.workflow),
            job: said(provider.job),
            url: self.ci_url(provider.name).map(|url| short(&url)),
            actor: said(provider.actor),
        })
    }

    fn ci_url(&self, provider: &str) -> Option<String> {
        match provider {
            "github" => {
                let (server, repository) = (self.get("GITHUB_SERVER_URL")?, self.get("GITHUB_REPOSITORY")?);
                Some(format!("{server}/{repository}/actions/runs/{}", self.get("GITHUB_RUN_ID")?))
            }
            "gitlab" => self.get("CI_JOB_URL").map(str::to_owned),
            "azure" => {
                let (collection, project) =
                    (self.get("SYSTEM_COLLECTIONURI")?, self.get("SYSTEM_TEAMPROJECT")?);
                let build = self.get("BUILD_BUILDID")?;
                let slash = if collection.ends_with('/') { "" } else { "/" };
                Some(format!("{collection}{slash}{project}/_build/results?buildId={build}"))
            }
            _ => self.get("BUILDKITE_BUILD_URL").map(str::to_owned),
        }
    }
}

/// The value without what a URL may carry to sign in with, and not longer than anybody reads.
fn short(value: &str) -> String {
    let bare = match value.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => value.to_owned(),
    };
    cut(&bare, LONGEST).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ci(variables: &[(&str, &str)]) -> Option<Ci> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment { variables: variables.collect(), ..Environment::default() }.ci()
    }

    #[test]
    fn each_kind_of_pipeline_is_known_by_its_own_variables() {
        let found = ci(&[
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "o/r"),
            ("GITHUB_SERVER_URL", "https://h"),
            ("GITHUB_RUN_ID", "7"),
            ("GITHUB_ACTOR", "alice"),
        ])
        .unwrap();
        assert_eq!(found.provider, "github");
        assert_eq!(found.url.as_deref(), Some("https://h/o/r/actions/runs/7"));
        assert_eq!((found.actor.as_deref(), found.revision), (Some("alice"), None));
        for (mark, job, provider) in [
            ("GITLAB_CI", "CI_JOB_ID", "gitlab"),
            ("TF_BUILD", "BUILD_BUILDID", "azure"),
            ("BUILDKITE", "BUILDKITE_JOB_ID", "buildkite"),
        ] {
            let found = ci(&[("CI", "true"), (mark, "true"), (job, "7")]).unwrap();
            assert_eq!((found.provider.as_str(), found.job.as_deref()), (provider, Some("7")));
        }
    }

    #[test]
    fn azure_is_a_pipeline_although_it_does_not_say_ci() {
        assert_eq!(ci(&[("TF_BUILD", "True")]).unwrap().provider, "azure");
    }

    #[test]
    fn any_other_pipeline_is_one_too_and_a_machine_is_none() {
        assert_eq!(ci(&[("CI", "1"), ("USER", "ci")]).unwrap().actor.as_deref(), Some("ci"));
        assert_eq!(ci(&[("GITHUB_ACTIONS", "true")]), None);
        assert_eq!(ci(&[("CI", "false"), ("TF_BUILD", "True")]), None);
    }

    #[test]
    fn no_credential_of_a_url_is_kept() {
        let found = ci(&[
            ("CI", "true"),
            ("BUILDKITE", "true"),
            ("BUILDKITE_REPO", "https://user:s3cret@h/o/r@main"),
            ("BUILDKITE_BUILD_URL", "https://s3cret@h"),
        ])
        .unwrap();
        assert_eq!(found.repository.as_deref(), Some("https://h/o/r@main"));
        assert_eq!(found.url.as_deref(), Some("https://h"));
    }
}
