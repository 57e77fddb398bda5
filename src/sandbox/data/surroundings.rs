//! What surrounds releases: checks, rollback decisions, changes, incidents, metrics, dashboards.

use super::format::{Change, Chart, Check, Dashboard, Incident, Metric, RollbackDecision, Tenant};
use super::place::At;
use super::plant::{Flaw, Planter, date, instant, is_date, is_instant, named};
use crate::core::text::excerpt;

impl Planter<'_> {
    /// Adds what surrounds the tenant's releases, which are there.
    pub(super) fn surroundings(&mut self, tenant: &Tenant, at: &At<'_>) -> Result<(), Flaw> {
        let id = tenant.id.as_str();
        self.each(&tenant.checks, at, "checks", |planter, check, at| planter.check(id, check, at))?;
        self.each(&tenant.rollback_decisions, at, "rollbackDecisions", |planter, decision, at| {
            planter.decision(id, decision, at)
        })?;
        self.each(&tenant.changes, at, "changes", |planter, change, at| planter.change(id, change, at))?;
        self.each(&tenant.incidents, at, "incidents", |planter, incident, at| {
            planter.incident(id, incident, at)
        })?;
        self.each(&tenant.metrics, at, "metrics", |planter, metric, at| planter.metric(id, metric, at))?;
        self.each(&tenant.dashboards, at, "dashboards", |planter, dashboard, at| {
            planter.dashboard(id, dashboard, at)
        })
    }

    fn check(&mut self, tenant: &str, check: &Check, at: &At<'_>) -> Result<(), Flaw> {
        if !self.is_new("check", "release_checks", tenant, &check.id, at)? {
            return Ok(());
        }
        self.leads("release", "releases", tenant, Some(&check.release), &at.member("release"))?;
        date(check.due_date.as_deref(), &at.member("dueDate"))?;
        self.add(
            "checks",
            "release_checks",
            &[
                ("tenant_id", &tenant),
                ("id", &check.id),
                ("release_id", &check.release),
                ("label", &check.label),
                ("severity", &check.severity),
                ("status", &check.status),
                ("due_date", &check.due_date),
                ("owner", &check.owner),
                ("source_entity", &check.source_entity),
                ("url", &check.url),
            ],
        )
    }

    fn decision(&mut self, tenant: &str, decision: &RollbackDecision, at: &At<'_>) -> Result<(), Flaw> {
        if !self.is_new("rollback decision", "rollback_decisions", tenant, &decision.id, at)? {
            return Ok(());
        }
        self.leads("release", "releases", tenant, Some(&decision.release), &at.member("release"))?;
        date(decision.due_date.as_deref(), &at.member("dueDate"))?;
        instant(decision.decided_at.as_deref(), &at.member("decidedAt"))?;
        self.add(
            "rollback decisions",
            "rollback_decisions",
            &[
                ("tenant_id", &tenant),
                ("id", &decision.id),
                ("release_id", &decision.release),
                ("status", &decision.status),
                ("reason", &decision.reason),
                ("due_date", &decision.due_date),
                ("rollback_plan", &decision.rollback_plan),
                ("execution_state", &decision.execution_state),
                ("decided_at", &decision.decided_at),
                ("owner", &decision.owner),
            ],
        )
    }

    fn change(&mut self, tenant: &str, change: &Change, at: &At<'_>) -> Result<(), Flaw> {
        if !self.is_new("change request", "change_requests", tenant, &change.id, at)? {
            return Ok(());
        }
        self.leads("release", "releases", tenant, change.release.as_deref(), &at.member("release"))?;
        instant(change.starts_at.as_deref(), &at.member("startsAt"))?;
        instant(change.ends_at.as_deref(), &at.member("endsAt"))?;
        self.add(
            "change requests",
            "change_requests",
            &[
                ("tenant_id", &tenant),
                ("id", &change.id),
                ("title", &change.title),
                ("status", &change.status),
                ("application", &change.application),
                ("service", &change.service),
                ("starts_at", &change.starts_at),
                ("ends_at", &change.ends_at),
                ("release_id", &change.release),
                ("risk", &change.risk),
                ("owner", &change.owner),
            ],
        )
    }

    fn incident(&mut self, tenant: &str, incident: &Incident, at: &At<'_>) -> Result<(), Flaw> {
        if !self.is_new("incident", "incidents", tenant, &incident.id, at)? {
            return Ok(());
        }
        self.leads("team", "teams", tenant, incident.team.as_deref(), &at.member("team"))?;
        instant(Some(&incident.opened_at), &at.member("openedAt"))?;
        instant(incident.resolved_at.as_deref(), &at.member("resolvedAt"))?;
        self.add(
            "incidents",
            "incidents",
            &[
                ("tenant_id", &tenant),
                ("id", &incident.id),
                ("title", &incident.title),
                ("status", &incident.status),
                ("impact", &incident.impact),
                ("opened_at", &incident.opened_at),
                ("resolved_at", &incident.resolved_at),
                ("application", &incident.application),
                ("service", &incident.service),
                ("team", &incident.team),
                ("owner", &incident.owner),
                ("url", &incident.url),
                ("version", &incident.version.unwrap_or(1)),
            ],
        )?;
        for (member, kind, table, links, column, ids) in [
            ("releases", "release", "releases", "incident_releases", "release_id", &incident.releases),
            (
                "changes",
                "change request",
                "change_requests",
                "incident_changes",
                "change_id",
                &incident.changes,
            ),
        ] {
            let at = at.member(member);
            for (index, id) in ids.iter().enumerate() {
                let at = at.item(index);
                self.leads(kind, table, tenant, Some(id), &at)?;
                if ids.iter().take(index).any(|earlier| earlier == id) {
                    return Err(Flaw::data(&at, format!("`{}` stands there twice", excerpt(id, 100))));
                }
                self.insert(links, &[("tenant_id", &tenant), ("incident_id", &incident.id), (column, id)])?;
            }
        }
        Ok(())
    }

    fn metric(&mut self, tenant: &str, metric: &Metric, at: &At<'_>) -> Result<(), Flaw> {
        if !self.is_new("metric", "metrics", tenant, &metric.id, at)? {
            return Ok(());
        }
        self.leads("team", "teams", tenant, metric.team.as_deref(), &at.member("team"))?;
        self.add(
            "metrics",
            "metrics",
            &[
                ("tenant_id", &tenant),
                ("id", &metric.id),
                ("name", &metric.name),
                ("unit", &metric.unit),
                ("better", &metric.better),
                ("team", &metric.team),
            ],
        )?;
        let points = at.member("points");
        for (when, value) in &metric.points {
            if !is_date(when) && !is_instant(when) {
                let problem = format!("`{}` is neither a date nor an instant in UTC", excerpt(when, 60));
                return Err(Flaw::data(&points, problem));
            }
            if !value.is_finite() {
                return Err(Flaw::data(&points.member(when), "it is no number"));
            }
            self.add(
                "points",
                "metric_points",
                &[("tenant_id", &tenant), ("metric_id", &metric.id), ("at", when), ("value", value)],
            )?;
        }
        Ok(())
    }

    fn dashboard(&mut self, tenant: &str, dashboard: &Dashboard, at: &At<'_>) -> Result<(), Flaw> {
        if !self.is_new("dashboard", "dashboards", tenant, &dashboard.id, at)? {
            return Ok(());
        }
        self.add(
            "dashboards",
            "dashboards",
            &[
                ("tenant_id", &tenant),
                ("id", &dashboard.id),
                ("name", &dashboard.name),
                ("summary", &dashboard.summary),
            ],
        )?;
        let charts = at.member("charts");
        for (index, chart) in dashboard.charts.iter().enumerate() {
            let at = charts.item(index);
            named(&chart.id, &at.member("id"))?;
            if dashboard.charts.iter().take(index).any(|earlier| earlier.id == chart.id) {
                let problem = format!("there is a chart `{}` already", excerpt(&chart.id, 100));
                return Err(Flaw::data(&at.member("id"), problem));
            }
            self.chart(tenant, dashboard, index, chart, &at)?;
        }
        Ok(())
    }

    fn chart(
        &mut self,
        tenant: &str,
        dashboard: &Dashboard,
        index: usize,
        chart: &Chart,
        at: &At<'_>,
    ) -> Result<(), Flaw> {
        let metrics = at.member("metrics");
        for (index, metric) in chart.metrics.iter().enumerate() {
            self.leads("metric", "metrics", tenant, Some(metric), &metrics.item(index))?;
        }
        let position = i64::try_from(index).unwrap_or(i64::MAX);
        let list = serde_json::Value::from(chart.metrics.clone()).to_string();
        self.add(
            "charts",
            "charts",
            &[
                ("tenant_id", &tenant),
                ("dashboard_id", &dashboard.id),
                ("position", &position),
                ("id", &chart.id),
                ("title", &chart.title),
                ("kind", &chart.kind),
                ("metrics", &list),
            ],
        )
    }
}
