//! What `analyze` can do, and what each analysis is given.

use schemars::JsonSchema;
use serde::Deserialize;

/// What `analyze` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Analysis {
    /// Failed controls, evidence gaps and provider blockers of an evidence graph.
    Evidence,
    /// Which findings open work already covers.
    Coverage,
    /// A Mermaid diagram of an evidence graph.
    Diagram,
    /// Each control of a release with its evidence, and whether that is all of it.
    Compliance,
    /// Evidence that is missing, stale, not decided or not understood, by control, provider, owner and age.
    Gaps,
    /// The files so far with their digests.
    Manifest,
    /// Whether a release is ready, for which reasons, and what would change that.
    Readiness,
    /// Findings and blockers of security providers, each once however many report it, held to limits.
    Security,
    /// Another analysis as a page of Markdown.
    Summary,
}

/// What kind of step an analysis looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A read.
    Read,
    /// `analyze: evidence`.
    Findings,
    /// An analysis that people are shown with tables and charts.
    Brief,
}

/// Something that an analysis takes by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// Its name.
    pub name: &'static str,
    /// Whether the analysis can do without.
    pub optional: bool,
}

/// What an analysis is given, and what it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// What `of` names.
    pub of: Source,
    /// The steps that `from` names besides.
    pub from: &'static [Taken],
    /// The values under `with`.
    pub with: &'static [Taken],
    /// The endings of the file that it may emit.
    pub endings: &'static [&'static str],
}

const fn needed(name: &'static str) -> Taken {
    Taken { name, optional: false }
}

const fn optional(name: &'static str) -> Taken {
    Taken { name, optional: true }
}

const JSON: &[&str] = &["json"];

impl Analysis {
    /// The word in recipes.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Coverage => "coverage",
            Self::Diagram => "diagram",
            Self::Compliance => "compliance",
            Self::Gaps => "gaps",
            Self::Manifest => "manifest",
            Self::Readiness => "readiness",
            Self::Security => "security",
            Self::Summary => "summary",
        }
    }

    /// What it makes of the step that `of` names.
    #[must_use]
    pub fn makes(self) -> &'static str {
        match self {
            Self::Evidence => "failed controls, gaps and blockers",
            Self::Coverage => "what open work covers",
            Self::Diagram => "a diagram",
            Self::Compliance => "each control with its evidence",
            Self::Gaps => "missing, stale and unknown evidence",
            Self::Manifest => "the files with their digests",
            Self::Readiness => "a verdict with its reasons",
            Self::Security => "security blockers, each once",
            Self::Summary => "a page",
        }
    }

    /// Whether it reads an evidence graph, which reports then show.
    #[must_use]
    pub fn reads_evidence(self) -> bool {
        // What speaks against security is part of the graph, and shown by itself.
        matches!(self, Self::Compliance | Self::Evidence | Self::Diagram | Self::Gaps | Self::Readiness)
    }

    /// Whether its result says how people are shown it.
    #[must_use]
    pub fn is_brief(self) -> bool {
        matches!(self, Self::Compliance | Self::Gaps | Self::Readiness | Self::Security)
    }

    /// Whether it only shows what another analysis came to: that is shown where it is undecided, too.
    #[must_use]
    pub fn shows(self) -> bool {
        matches!(self, Self::Manifest | Self::Summary)
    }

    pub(super) fn terms(self) -> Terms {
        match self {
            Self::Evidence => Terms { of: Source::Read, from: &[], with: &[], endings: JSON },
            Self::Coverage => Terms {
                of: Source::Findings,
                from: const { &[needed("open_work")] },
                with: &[],
                endings: JSON,
            },
            Self::Diagram => Terms { of: Source::Read, from: &[], with: &[], endings: &["mmd"] },
            Self::Compliance => {
                let from = const { &[needed("certification"), optional("checks"), optional("rollback")] };
                Terms { of: Source::Read, from, with: &[], endings: JSON }
            }
            Self::Gaps => {
                let with = const { &[optional("as_of"), optional("stale_after_days")] };
                Terms { of: Source::Read, from: &[], with, endings: JSON }
            }
            Self::Manifest => Terms { of: Source::Brief, from: &[], with: &[], endings: JSON },
            Self::Readiness => {
                let from = const { &[needed("certification"), optional("checks"), optional("rollback")] };
                let with = const {
                    &[
                        needed("as_of"),
                        optional("most_open_checks"),
                        optional("require_checks"),
                        optional("require_rollback_plan"),
                        optional("accept_risks_up_to"),
                    ]
                };
                Terms { of: Source::Read, from, with, endings: JSON }
            }
            Self::Security => {
                let with = const {
                    &[
                        needed("as_of"),
                        needed("security_providers"),
                        optional("other_providers"),
                        optional("new_within_days"),
                        optional("most_critical"),
                        optional("most_high"),
                        optional("most_medium"),
                        optional("most_low"),
                    ]
                };
                Terms { of: Source::Read, from: &[], with, endings: JSON }
            }
            Self::Summary => Terms { of: Source::Brief, from: &[], with: &[], endings: &["md"] },
        }
    }
}

impl Source {
    /// What a step has to give, and which steps do.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("a read", "name a step with `read:`"),
            Self::Findings => ("an analysis of evidence", "name a step with `analyze: evidence`"),
            Self::Brief => {
                ("an analysis with something to show", "name a step with `analyze: gaps` or the like")
            }
        }
    }
}
