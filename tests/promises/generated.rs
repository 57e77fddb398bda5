//! Records of any number, made from a seed: the same seed gives the same bytes. They are a data file of the sandbox.

use serde_json::{Value, json};

/// How much there is to be, and of what it is made.
#[derive(Debug, Clone, Copy)]
pub struct Generator {
    /// What everything follows from.
    pub seed: u64,
    /// Nodes of the evidence graph of `REL-GENERATED`, the release itself included.
    pub nodes: usize,
    /// Work items of the team `payments`.
    pub items: usize,
    /// Incidents of the application `payments`.
    pub incidents: usize,
    /// Change requests of the application `payments`.
    pub changes: usize,
    /// Points of the metric `generated`, one a day from 1990-01-01 on.
    pub points: usize,
}

/// A stream of numbers (SplitMix64), which is the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];

impl Generator {
    /// Nothing of anything.
    pub fn new(seed: u64) -> Self {
        Self { seed, nodes: 0, items: 0, incidents: 0, changes: 0, points: 0 }
    }

    /// The release that the evidence is of.
    pub const RELEASE: &'static str = "REL-GENERATED";

    /// What the records of one kind follow from, so that more of one leave the others as they are.
    fn numbers(&self, kind: u64) -> Numbers {
        Numbers(self.seed.wrapping_mul(31).wrapping_add(kind))
    }

    /// The data file, one record a line.
    pub fn file(&self) -> String {
        let lists: [(&str, Vec<Value>); 5] = [
            ("releases", self.release().into_iter().collect()),
            ("backlog", self.backlog()),
            ("changes", self.change_requests()),
            ("incidents", self.incident_list()),
            ("metrics", self.metric().into_iter().collect()),
        ];
        let mut text = "tenants:\n  - id: acme\n".to_owned();
        for (name, records) in lists.iter().filter(|(_, records)| !records.is_empty()) {
            text.push_str(&format!("    {name}:\n"));
            for record in records {
                text.push_str(&format!("      - {record}\n"));
            }
        }
        text
    }

    /// The nodes, the release first: a tenth are controls, three tenths findings, the others evidence.
    pub fn evidence(&self) -> Vec<Value> {
        let mut numbers = self.numbers(1);
        let controls = (self.nodes / 10).max(1);
        let ids: Vec<String> = (0..controls).map(|index| format!("GEN-CTL-{index}")).collect();
        let mut nodes = vec![json!({
            "id": Self::RELEASE, "type": "release", "title": "Generated", "status": "failed",
            "links": {"requires": ids},
        })];
        for index in 1..self.nodes {
            let severity = numbers.one(&SEVERITIES);
            let status = |numbers: &mut Numbers, words: &[&str]| numbers.one(words).to_owned();
            let node = if index <= controls {
                let status = status(&mut numbers, &["passed", "passed", "passed", "failed"]);
                json!({"id": ids[index - 1], "type": "control", "title": format!("Generated control {index}"),
                    "status": status, "required": true, "severity": severity, "provider": "pipeline"})
            } else {
                let control = &ids[numbers.below(controls)];
                if index % 10 < 3 {
                    let status = status(&mut numbers, &["open", "resolved"]);
                    json!({"id": format!("GEN-FND-{index}"), "type": "finding", "title": format!("Generated finding {index}"),
                        "status": status, "severity": severity, "links": {"violates": [control]}})
                } else {
                    let status = status(&mut numbers, &["fresh", "present", "fresh", "stale"]);
                    json!({"id": format!("GEN-EVD-{index}"), "type": "evidence", "title": format!("Generated evidence {index}"),
                        "status": status, "required": true, "provider": "code-scan", "links": {"supports": [control]}})
                }
            };
            nodes.push(node);
        }
        nodes
    }

    fn release(&self) -> Option<Value> {
        (self.nodes > 0).then(|| {
            json!({"id": Self::RELEASE, "name": "Generated", "application": "payments", "team": "payments",
                "status": "blocked", "summary": "", "nodes": self.evidence()})
        })
    }

    fn backlog(&self) -> Vec<Value> {
        let mut numbers = self.numbers(2);
        let items = (0..self.items).map(|index| {
            json!({"id": format!("GEN-ITEM-{index}"), "type": numbers.one(&["issue", "story", "task"]),
                "title": format!("Generated item {index}"), "status": numbers.one(&["open", "in_progress", "done"]),
                "severity": numbers.one(&SEVERITIES), "effort": 1 + numbers.below(13), "team": "payments",
                "dueDate": day(numbers.below(300))})
        });
        items.collect()
    }

    fn change_requests(&self) -> Vec<Value> {
        let mut numbers = self.numbers(3);
        let changes = (0..self.changes).map(|index| {
            let day = day(numbers.below(300));
            json!({"id": format!("GEN-CHG-{index}"), "title": format!("Generated change {index}"),
                "status": numbers.one(&["requested", "scheduled", "implemented", "failed"]),
                "application": "payments", "startsAt": format!("{day}T08:00:00Z"), "endsAt": format!("{day}T09:00:00Z")})
        });
        changes.collect()
    }

    fn incident_list(&self) -> Vec<Value> {
        let mut numbers = self.numbers(4);
        let incidents = (0..self.incidents).map(|index| {
            json!({"id": format!("GEN-INC-{index}"), "title": format!("Generated incident {index}"),
                "status": numbers.one(&["open", "investigating", "resolved"]), "impact": numbers.one(&SEVERITIES),
                "openedAt": format!("{}T{:02}:00:00Z", day(numbers.below(300)), numbers.below(24)),
                "application": "payments", "team": "payments"})
        });
        incidents.collect()
    }

    fn metric(&self) -> Option<Value> {
        let mut numbers = self.numbers(5);
        let first: jiff::civil::Date = "1990-01-01".parse().unwrap();
        let points: serde_json::Map<String, Value> = first
            .series(jiff::Span::new().days(1))
            .take(self.points)
            .map(|day| (day.to_string(), numbers.below(1000).into()))
            .collect();
        (!points.is_empty()).then(|| json!({"id": "generated", "name": "Generated", "points": points}))
    }
}

/// A day of 2026.
fn day(index: usize) -> String {
    format!("2026-{:02}-{:02}", 1 + index / 28, 1 + index % 28)
}
