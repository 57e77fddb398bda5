//! The approval policy of the trust settings, as it is in force for one artifact.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::layers::policies;
use super::period::Period;
use super::platform::PlatformSettings;
use super::settings::{FILE_NAME, Settings, text};
use crate::approval::{Assurance, Overlay, Policy, Signers};
use crate::artifact::Artifact;

/// What approvals must be. What a recipe or a tool asks besides only ever makes it stricter.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySettings {
    /// What is asked of every effect.
    #[serde(default)]
    pub approvals: ApprovalSettings,
    /// What is asked besides of the effects of a recipe, by its name. The name is the artifact's own word: what
    /// must hold for a tool, whoever plans it, belongs to `tools`.
    #[serde(default)]
    pub recipes: BTreeMap<String, OverlaySettings>,
    /// What is asked besides of effects that call a tool, by its name.
    #[serde(default)]
    pub tools: BTreeMap<String, OverlaySettings>,
    /// The CI platforms whose approvals are taken.
    #[serde(default)]
    pub platform: PlatformSettings,
    /// The folder that files are relative to.
    #[serde(skip)]
    pub home: PathBuf,
}

/// What is asked of every effect.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ApprovalSettings {
    /// How many different people must approve [default: 1].
    #[schemars(range(min = 1))]
    pub minimum: Option<u32>,
    /// Which kinds of identities count [default: signed].
    pub accept: Option<BTreeSet<Assurance>>,
    /// An `allowed_signers` file, relative to the trust folder; only signatures by them count then, and what the
    /// platform vouches for.
    pub signers: Option<PathBuf>,
    /// Whether who planned may not approve [default: true].
    pub four_eyes: Option<bool>,
    /// How old an approval may be, such as `7d` [default: as old as it says].
    pub max_age: Option<Period>,
    /// For how long after its first intent a plan goes on with approvals that expired since [default: `24h`].
    pub resume_within: Option<Period>,
}

/// What a recipe or a tool asks besides.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OverlaySettings {
    /// How many different people must approve.
    pub minimum: Option<u32>,
    /// Which kinds of identities count.
    pub accept: Option<BTreeSet<Assurance>>,
    /// Whether who planned may not approve.
    pub four_eyes: Option<bool>,
    /// How old an approval may be, such as `7d`.
    pub max_age: Option<Period>,
    /// For how long a plan goes on with approvals that expired since.
    pub resume_within: Option<Period>,
}

impl From<&OverlaySettings> for Overlay {
    fn from(settings: &OverlaySettings) -> Self {
        Self {
            minimum: settings.minimum,
            accept: settings.accept.clone(),
            four_eyes: settings.four_eyes,
            max_age: settings.max_age.map(Period::get),
            resume_within: settings.resume_within.map(Period::get),
        }
    }
}

impl Settings {
    /// The policy for `artifact`, with what its recipe and every one of its tools ask besides; none where the
    /// settings have no policy.
    pub fn policy_for(&self, artifact: &Artifact) -> Result<Option<Policy>, Fault> {
        let mut all = None;
        for settings in policies(self) {
            let base = match all {
                None => base(settings)?,
                Some(policy) => tightened(policy, settings)?,
            };
            let recipe = settings.recipes.get(&artifact.document().recipe.name);
            let tools =
                artifact.operations().iter().filter_map(|operation| settings.tools.get(&operation.tool));
            let overlays = recipe.into_iter().chain(tools).map(Overlay::from);
            all = Some(overlays.fold(base, |policy, overlay| policy.tightened(&overlay)));
        }
        Ok(all)
    }
}

fn base(settings: &PolicySettings) -> Result<Policy, Fault> {
    let ApprovalSettings { minimum, accept, signers: _, four_eyes, max_age, resume_within } =
        &settings.approvals;
    check_minimum(settings)?;
    Ok(Policy {
        minimum: minimum.unwrap_or(1),
        accept: accept.clone().unwrap_or_else(|| BTreeSet::from([Assurance::Signed])),
        signers: signers(settings)?,
        four_eyes: four_eyes.unwrap_or(true),
        max_age: max_age.map(Period::get),
        resume_within: resume_within.map_or(SignedDuration::from_hours(24), Period::get),
    })
}

/// `policy` with what settings ask of every effect that extend those which it is from.
fn tightened(policy: Policy, settings: &PolicySettings) -> Result<Policy, Fault> {
    let ApprovalSettings { minimum, accept, signers: _, four_eyes, max_age, resume_within } =
        &settings.approvals;
    check_minimum(settings)?;
    let signers = policy.signers.clone().map_or_else(|| signers(settings), |above| Ok(Some(above)))?;
    let overlay = Overlay {
        minimum: *minimum,
        accept: accept.clone(),
        four_eyes: *four_eyes,
        max_age: max_age.map(Period::get),
        resume_within: resume_within.map(Period::get),
    };
    Ok(Policy { signers, ..policy.tightened(&overlay) })
}

fn check_minimum(settings: &PolicySettings) -> Result<(), Fault> {
    if settings.approvals.minimum != Some(0) {
        return Ok(());
    }
    let place = settings.home.join(FILE_NAME);
    let message = format!("`{}`: `policy.approvals.minimum` is at least 1", place.display());
    Err(Fault::new(Exit::Invalid, message))
}

fn signers(settings: &PolicySettings) -> Result<Option<String>, Fault> {
    settings.signers_file().map(|file| read_signers(&file)).transpose()
}

impl PolicySettings {
    /// The `allowed_signers` file, where these name one.
    pub fn signers_file(&self) -> Option<PathBuf> {
        self.approvals.signers.as_ref().map(|file| self.home.join(file))
    }
}

/// The lines of an `allowed_signers` file, every one of which is understood.
pub(super) fn read_signers(path: &Path) -> Result<String, Fault> {
    let lines = text(path)?;
    match Signers::parse(&lines) {
        Ok(_) => Ok(lines),
        Err(error) => Err(Fault::new(Exit::Invalid, format!("`{}`: {error}", path.display()))),
    }
}

/// The folder whose policy and revocations are trusted: the one that is named, or outside of CI the working
/// folder; in CI none unless one is named, because a pull request can change a checkout.
pub(super) fn trust_for(trust: Option<&Path>, environment: &Environment) -> Result<Option<PathBuf>, Fault> {
    match environment.trust(trust)? {
        // A folder that is not there would stand for one without revocations.
        Some(folder) if !folder.is_dir() => {
            Err(Fault::new(Exit::Invalid, format!("the trust folder `{}` is not there", folder.display())))
        }
        Some(folder) => Ok(Some(folder)),
        None if environment.is_ci() => Ok(None),
        None => Ok(Some(PathBuf::from("."))),
    }
}

/// Settings that are trusted here.
#[derive(Debug)]
pub(super) struct Trusted {
    pub settings: Settings,
}

impl Trusted {
    /// The settings that are trusted here; none where nothing is trusted or there is no settings file.
    pub fn read(trust: Option<&Path>, environment: &Environment) -> Result<Option<Self>, Fault> {
        let Some(folder) = trust_for(trust, environment)? else { return Ok(None) };
        Ok(Settings::read(&folder)?.map(|settings| Self { settings }))
    }
}

/// The policy in force for `artifact`: the settings', else the built-in one where the target is the sandbox.
pub(super) fn in_force(artifact: &Artifact, trusted: Option<&Trusted>) -> Result<Option<Policy>, Fault> {
    let named = match trusted {
        Some(trusted) => trusted.settings.policy_for(artifact)?,
        None => None,
    };
    Ok(named.or_else(|| artifact.target().sandbox.then(Policy::for_sandbox)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::sample;
    use crate::catalog::read_yaml;
    use crate::core::file::replace;

    fn settings(yaml: &str) -> Settings {
        read_yaml(yaml).unwrap()
    }

    fn policy(yaml: &str) -> Policy {
        settings(yaml).policy_for(&artifact()).unwrap().unwrap()
    }

    fn artifact() -> Artifact {
        Artifact::build(sample::plan()).unwrap()
    }

    #[test]
    fn a_policy_that_says_nothing_wants_one_signature_of_another() {
        let found = policy("policy: {}");
        assert_eq!((found.minimum, found.four_eyes), (1, true));
        assert_eq!(found.accept, BTreeSet::from([Assurance::Signed]));
        assert_eq!(found.resume_within, SignedDuration::from_hours(24));
        assert_eq!(
            policy("policy: { approvals: { max_age: 7d } }").max_age,
            Some(SignedDuration::from_hours(168))
        );
        assert!(settings("{}").policy_for(&artifact()).unwrap().is_none());
    }

    #[test]
    fn recipe_and_tools_only_make_it_stricter() {
        let artifact = artifact();
        let (recipe, tool) = (&artifact.document().recipe.name, &artifact.operations()[0].tool);
        let found = policy(&format!(
            "policy: {{ approvals: {{ minimum: 2, accept: [signed, asserted] }},
               recipes: {{ {recipe}: {{ minimum: 1, accept: [signed] }}, other: {{ minimum: 9 }} }},
               tools: {{ {tool}: {{ minimum: 3, four_eyes: false, resume_within: 1h }} }} }}"
        ));
        assert_eq!((found.minimum, found.four_eyes), (3, true));
        assert_eq!(found.accept, BTreeSet::from([Assurance::Signed]));
        assert_eq!(found.resume_within, SignedDuration::from_hours(1));
    }

    #[test]
    fn a_bad_line_of_the_signers_is_told_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        replace(&folder.path().join("signers"), b"# who\nalice not-a-key\n").unwrap();
        let mut settings = settings("policy: { approvals: { signers: signers } }");
        settings.policy.as_mut().unwrap().home = folder.path().to_owned();
        let fault = settings.policy_for(&artifact()).unwrap_err();
        let message = fault.error.to_string();
        assert_eq!(fault.exit, Exit::Invalid);
        assert!(message.contains("signers`: line 2 of the signers"), "{message}");
    }

    #[test]
    fn an_approval_by_nobody_is_no_policy() {
        let fault = settings("policy: { approvals: { minimum: 0 } }").policy_for(&artifact()).unwrap_err();
        assert_eq!(fault.exit, Exit::Invalid);
    }

    #[test]
    fn in_ci_only_a_named_folder_is_trusted() {
        let mut environment = Environment::default();
        assert_eq!(trust_for(None, &environment).unwrap(), Some(PathBuf::from(".")));
        environment.variables.insert("CI".into(), "true".into());
        assert_eq!(trust_for(None, &environment).unwrap(), None);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(trust_for(Some(folder.path()), &environment).unwrap(), Some(folder.path().to_owned()));
        let missing = folder.path().join("missing");
        assert_eq!(trust_for(Some(&missing), &environment).unwrap_err().exit, Exit::Invalid);
    }
}
