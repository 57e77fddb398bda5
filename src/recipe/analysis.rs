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
    /// A dashboard's metrics over time, with the trend of each.
    Dashboard,
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
    /// What an AI/ML agent makes of something, which decides nothing.
    Recommendation,
    /// Open work given to a team's people, as far as a sprint has room.
    Sprint,
    /// Another analysis as a page of Markdown.
    Summary,
    /// Open incidents with what was changed shortly before, and what is proposed for one of them.
    Triage,
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
            Self::Dashboard => "dashboard",
            Self::Diagram => "diagram",
            Self::Compliance => "compliance",
            Self::Gaps => "gaps",
            Self::Manifest => "manifest",
            Self::Readiness => "readiness",
            Self::Security => "security",
            Self::Recommendation => "recommendation",
            Self::Sprint => "sprint",
            Self::Summary => "summary",
            Self::Triage => "triage",
        }
    }

    /// What it makes of the step that `of` names.
    #[must_use]
    pub fn makes(self) -> &'static str {
        match self {
            Self::Evidence => "failed controls, gaps and blockers",
            Self::Coverage => "what open work covers",
            Self::Dashboard => "metrics over time and their trends",
            Self::Diagram => "a diagram",
            Self::Compliance => "each control with its evidence",
            Self::Gaps => "missing, stale and unknown evidence",
            Self::Manifest => "the files with their digests",
            Self::Readiness => "a verdict with its reasons",
            Self::Security => "security blockers, each once",
            Self::Recommendation => "what an AI/ML agent recommends",
            Self::Sprint => "a sprint's plan",
            Self::Summary => "a page",
            Self::Triage => "open incidents and what is near them",
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
        matches!(
            self,
            Self::Compliance
                | Self::Dashboard
                | Self::Gaps
                | Self::Readiness
                | Self::Recommendation
                | Self::Security
                | Self::Sprint
                | Self::Triage
        )
    }

    /// Whether it can do without what it takes under `name`.
    #[must_use]
    pub fn does_without(self, name: &str) -> bool {
        self.terms().from.iter().any(|taken| taken.optional && taken.name == name)
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
            Self::Dashboard => Terms {
                of: Source::Read,
                from: const { &[optional("dashboard"), optional("metrics"), optional("series")] },
                with: const { &[needed("from"), needed("to"), optional("metric"), optional("fewest_points")] },
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
            Self::Recommendation => Terms {
                of: Source::Brief,
                from: const { &[optional("agents"), optional("assessment")] },
                with: const { &[needed("kind")] },
                endings: JSON,
            },
            Self::Sprint => Terms {
                of: Source::Read,
                from: const { &[needed("backlog")] },
                with: const { &[needed("as_of"), optional("sprint")] },
                endings: JSON,
            },
            Self::Summary => Terms { of: Source::Brief, from: &[], with: &[], endings: &["md"] },
            Self::Triage => Terms {
                of: Source::Read,
                from: const { &[needed("releases"), needed("changes")] },
                with: const {
                    &[
                        needed("as_of"),
                        needed("hours_before"),
                        needed("old_after_hours"),
                        needed("link_from"),
                        optional("incident"),
                        optional("owner"),
                        optional("since"),
                    ]
                },
                endings: JSON,
            },
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
