//! What a command came to as Markdown, for a step's summary or a comment: the verdict first, then why, what to do
//! next, and all the rest. Bounded: what does not fit is counted.

use super::layout::{Mark, bounded, count, took};
use super::markdown::{cell, code, json_block, prose};
use super::sheet::{Proposal, Sheet};
use super::stand_in::StandIn;
use crate::evidence::brief::{View, chart, rows, views};
use crate::evidence::mermaid;
use serde_json::Value;

/// Bytes of a page at the most: a step's summary on GitHub ends at 1 MiB.
pub const MOST_BYTES: usize = 900 << 10;
/// Rows of a table, and nodes of a diagram, at the most; the rest is counted.
const MOST_ROWS: usize = 100;
const MOST_NODES: usize = 30;
/// Titles that an operation shows.
const MOST_TITLES: usize = 50;
/// The longest sentence.
const LONGEST: usize = 1000;

/// The sheet as Markdown of at most `most` bytes.
#[must_use]
pub fn sheet_markdown(sheet: &Sheet<'_>, most: usize) -> String {
    let mut page = Page { out: String::new(), most: most.saturating_sub(200), left_out: 0 };
    page.head(sheet);
    // What somebody asked for comes before what it was made of.
    for brief in &sheet.briefs {
        page.brief(brief);
    }
    page.findings(sheet);
    page.checks(sheet);
    for operation in &sheet.operations {
        page.operation(operation);
    }
    page.list("Approvals", sheet.approvals.iter().map(|fact| prose(&bounded(&fact.text, LONGEST))));
    page.list("Not proven", sheet.not_proven.iter().map(|what| prose(&bounded(what, LONGEST))));
    page.facts(sheet);
    if page.left_out > 0 {
        let parts = count(page.left_out, "part", "parts");
        page.out.push_str(&format!("**{parts} did not fit here** and stand in the files.\n"));
    }
    format!("{}\n", page.out.trim_end())
}

/// The sign of a mark, where colours cannot be had.
fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "✅",
        Mark::Bad => "❌",
        Mark::Doubt => "❓",
        Mark::Planned => "📝",
        Mark::Warning => "❗",
        Mark::Idle => "➖",
    }
}

/// A table of texts as they came.
fn as_it_came<T: AsRef<str>>(heads: &[impl AsRef<str>], rows: &[Vec<T>]) -> String {
    let text = |text: &str| cell(&bounded(text, LONGEST));
    let heads: Vec<String> = heads.iter().map(|head| text(head.as_ref())).collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let cells = rows.iter().map(|row| row.iter().map(|one| text(one.as_ref())).collect());
    table_text(&heads, cells, rows.len())
}

/// A table of cells, which are Markdown already.
fn table_text(heads: &[&str], rows: impl Iterator<Item = Vec<String>>, total: usize) -> String {
    let mut text = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows.take(MOST_ROWS) {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text.push('\n');
    if total > MOST_ROWS {
        text.push_str(&format!("and {} more\n\n", total - MOST_ROWS));
    }
    text
}

struct Page {
    out: String,
    most: usize,
    left_out: usize,
}

impl Page {
    fn head(&mut self, sheet: &Sheet<'_>) {
        let mut head = format!(
            "## {} {}: {}\n\n",
            sign(sheet.mark),
            prose(&sheet.word),
            code(&bounded(&sheet.subject, LONGEST))
        );
        let about: Vec<String> = sheet.about.iter().map(|part| code(&bounded(part, LONGEST))).collect();
        if !about.is_empty() {
            head.push_str(&format!("{} {}\n\n", sheet.command, about.join(" · ")));
        }
        if let Some(StandIn { title, says, .. }) = sheet.stand_in {
            head.push_str(&format!("**{title}**: {says}.\n\n"));
        }
        self.block(&head);
        self.list("", sheet.reasons.iter().map(|reason| prose(&bounded(reason, LONGEST))));
        if let Some(next) = &sheet.next {
            self.block(&format!("Next: {}\n\n", code(next)));
        }
    }

    fn findings(&mut self, sheet: &Sheet<'_>) {
        let Some(gathered) = &sheet.evidence else { return };
        let blocking = &gathered.findings.blocking;
        if !blocking.is_empty() {
            let rows = blocking.iter().map(|finding| {
                let of = gathered.control(finding);
                [
                    finding.severity.unwrap_or("unknown"),
                    finding.cause.word(),
                    finding.title,
                    finding.id,
                    of.unwrap_or(""),
                    finding.owner.unwrap_or(""),
                    finding.due.unwrap_or(""),
                ]
                .map(|text| cell(&bounded(text, LONGEST)))
                .to_vec()
            });
            self.table(
                &format!("What blocks: {}", blocking.len()),
                &["Severity", "What", "Title", "ID", "Control", "Owner", "Due"],
                rows,
                blocking.len(),
            );
        }
        let diagram = mermaid(&gathered.graph, &gathered.findings, MOST_NODES);
        self.folded("The evidence, what blocks first", &format!("```mermaid\n{diagram}```\n"));
    }

    fn brief(&mut self, brief: &Value) {
        for view in views(brief) {
            match view {
                View::Table { title, of, columns, .. } => {
                    let rows = rows(brief, &of, &columns);
                    let heads: Vec<&str> = columns.iter().map(|column| column.head.as_str()).collect();
                    if !rows.is_empty() {
                        let heading = format!("### {}: {}\n\n", prose(&bounded(&title, LONGEST)), rows.len());
                        self.block(&format!("{heading}{}", as_it_came(&heads, &rows)));
                    }
                }
                View::Chart { title, of, at } => {
                    let Some(chart) = chart(brief, &of, at) else { continue };
                    let (heads, rows) = chart.rows();
                    let heading = format!("### {}\n\n", prose(&bounded(&title, LONGEST)));
                    match chart.mermaid() {
                        Some(drawn) => {
                            self.block(&format!("{heading}```mermaid\n{drawn}```\n\n"));
                            self.folded("The same as a table", &as_it_came(&heads, &rows));
                        }
                        None => self.block(&format!("{heading}{}", as_it_came(&heads, &rows))),
                    }
                }
            }
        }
    }

    fn checks(&mut self, sheet: &Sheet<'_>) {
        let timed = sheet.checks.iter().any(|check| check.took.is_some());
        let rows = sheet.checks.iter().map(|check| {
            let mut row = vec![
                sign(check.mark).to_owned(),
                cell(&bounded(&check.id, LONGEST)),
                check.kind.to_owned(),
                cell(&bounded(&check.says, LONGEST)),
            ];
            if timed {
                row.push(check.took.map_or_else(String::new, took));
            }
            row
        });
        let heads: &[&str] =
            if timed { &["", "Check", "Kind", "Result", "Took"] } else { &["", "Check", "Kind", "Result"] };
        self.table("Checks", heads, rows, sheet.checks.len());
    }

    fn operation(&mut self, operation: &Proposal) {
        let Proposal { id, tool, mark, word, reason, facts, items, payload } = operation;
        let mut text = format!("### {} Operation {}: {}\n\n", sign(*mark), code(id), prose(word));
        text.push_str(&format!("- Tool: {}\n", code(tool)));
        text.push_str(&format!("- Reason: {}\n", prose(&bounded(reason, LONGEST))));
        for fact in facts {
            let shown = bounded(&fact.text, LONGEST);
            let shown = if fact.exact { code(&shown) } else { prose(&shown) };
            text.push_str(&format!("- {}: {shown}\n", prose(&fact.label)));
        }
        text.push('\n');
        for item in items.iter().take(MOST_TITLES) {
            let title = code(&bounded(&item.title, LONGEST));
            text.push_str(&format!("{}- {title}\n", "  ".repeat(item.depth.min(8))));
        }
        if items.len() > MOST_TITLES {
            text.push_str(&format!("- and {} more\n", items.len() - MOST_TITLES));
        }
        text.push('\n');
        self.block(&text);
        self.folded("Payload, exact and whole", &json_block(&Value::Object(payload.clone())));
    }

    fn facts(&mut self, sheet: &Sheet<'_>) {
        let mut text = String::new();
        for fact in &sheet.facts {
            let shown = bounded(&fact.text, LONGEST);
            let shown = if fact.exact { code(&shown) } else { prose(&shown) };
            text.push_str(&format!("- {}: {shown}\n", prose(&bounded(&fact.label, LONGEST))));
        }
        for file in &sheet.files {
            text.push_str(&format!("- File: {}\n", code(&bounded(file, LONGEST))));
        }
        self.folded("Inputs, digests, files", &text);
        let moments = sheet.moments.iter().rev().take(MOST_ROWS).rev();
        let rows =
            moments.map(|moment| vec![format!("{:.0}", moment.at), cell(&bounded(&moment.says, LONGEST))]);
        self.table("What happened", &["When", "What"], rows, sheet.moments.len().min(MOST_ROWS));
    }

    /// A heading, where there is one, and its items.
    fn list(&mut self, heading: &str, items: impl Iterator<Item = String>) {
        let items: Vec<String> = items.collect();
        if items.is_empty() {
            return;
        }
        let mut text = if heading.is_empty() { String::new() } else { format!("### {heading}\n\n") };
        for item in items.iter().take(MOST_ROWS) {
            text.push_str(&format!("- {item}\n"));
        }
        if items.len() > MOST_ROWS {
            text.push_str(&format!("- and {} more\n", items.len() - MOST_ROWS));
        }
        text.push('\n');
        self.block(&text);
    }

    /// Rows of cells, which are Markdown already.
    fn table(
        &mut self,
        heading: &str,
        heads: &[&str],
        rows: impl Iterator<Item = Vec<String>>,
        total: usize,
    ) {
        if total > 0 {
            self.block(&format!("### {heading}\n\n{}", table_text(heads, rows, total)));
        }
    }

    /// A part that is opened by whoever wants it.
    fn folded(&mut self, heading: &str, markdown: &str) {
        if !markdown.is_empty() {
            self.block(&format!("<details><summary>{heading}</summary>\n\n{markdown}\n</details>\n\n"));
        }
    }

    fn block(&mut self, markdown: &str) {
        if self.out.len().saturating_add(markdown.len()) > self.most {
            self.left_out += 1;
        } else {
            self.out.push_str(markdown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::sample;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    fn shown(sheet: &Sheet<'_>) -> String {
        sheet_markdown(sheet, MOST_BYTES)
    }

    #[test]
    fn the_verdict_comes_first_then_why_and_then_what_blocks() {
        let run = sample::evident("words");
        assert_snapshot!(sample::steady(&shown(&Sheet::of_run(&run, &sample::outputs(), 4))), @r#"
        ## ❌ blocked: `certify-release`

        run `release=REL-BLOCKED` · `acme on the sandbox`

        **Sandbox**: this run used the embedded sandbox: nothing here is about a real release.

        - The certification of REL\-BLOCKED is blocked

        Next: `loopgate remediation-plan --server sandbox --tenant acme --release REL-BLOCKED`

        ### What blocks: 3

        | Severity | What | Title | ID | Control | Owner | Due |
        |---|---|---|---|---|---|---|
        | high | failed control | words | CTL\-1 | CTL\-1 | words | words |
        | high | evidence gap | words | EVD\-1 | CTL\-2 | words | words |
        | high | provider blocker | words | BLK words |  | words | words |

        <details><summary>The evidence, what blocks first</summary>

        ```mermaid
        flowchart LR
          n0["failed control, high, words #40;CTL#45;1#41;"]
          n1["evidence gap, high, words #40;EVD#45;1#41;"]
          n2["provider blocker, high, words #40;BLK words#41;"]
          n3["control, pass, words #40;CTL#45;2#41;"]
          n1 -->|supports| n3
          classDef blocking stroke-width:3px
          class n0,n1,n2 blocking
        ```

        </details>

        ### Checks

        |  | Check | Kind | Result | Took |
        |---|---|---|---|---|
        | ✅ | evidence\.certification | read | certification | 4 ms |
        | ✅ | evidence\.graph | read | evidence\_graph, in evidence\-graph\.json | 4 ms |
        | ✅ | evidence\.findings | analyze | 12 findings\: 4 failed controls, 5 gaps, 3 provider blockers |  |
        | ❌ | certified | gate | The certification of REL\-BLOCKED is blocked |  |
        | ➖ | evident | gate | not run |  |

        <details><summary>Inputs, digests, files</summary>

        - Input release: REL\-BLOCKED \(flag\)
        - Input owner: platform \(default\)
        - Tenant: acme, as the server itself says
        - Server: `sandbox`
        - It calls itself: LoopIQ sandbox 0\.1\.0, MCP 2025\-11\-25
        - Profile: `loopiq sha256:[64 hex digits]`
        - Recipe: `certify-release sha256:[64 hex digits]`
        - Run: `01890000-0000-7000-8000-000000000001`
        - Trace: `0af7651916cd43dd8448eb211c80319c`
        - File: `loopgate-out/artifact.json`
        - File: `loopgate-out/evidence-graph.json`

        </details>

        ### What happened

        | When | What |
        |---|---|
        | 2023-11-14T22:13:20Z | evidence\.certification\: called loopiq\_get, answered after 4 ms |
        | 2023-11-14T22:13:20Z | evidence\.graph\: called loopiq\_get, answered after 4 ms |
        "#);
    }

    #[test]
    fn a_plan_shows_its_digest_and_its_payload_whole() {
        let run = sample::planned();
        let text = shown(&Sheet::of_run(&run, &sample::outputs(), 0));
        let document = run.artifact.as_ref().unwrap().document();
        assert!(text.contains(&document.effect_digest.to_string()), "{text}");
        let (_, rest) = text.split_once("```json\n").unwrap();
        let (payload, _) = rest.split_once("\n```\n").unwrap();
        let payload: Value = serde_json::from_str(payload).unwrap();
        assert_eq!(payload, Value::Object(document.operations[0].arguments.clone()));
        assert!(text.contains("### Not proven\n\n- whether open work"), "{text}");
    }

    #[test]
    fn a_page_stays_within_its_bound_and_says_what_it_left_out() {
        let run = sample::planned();
        let sheet = Sheet::of_run(&run, &sample::outputs(), 0);
        for most in [1000, 2000, 4000] {
            let text = sheet_markdown(&sheet, most);
            assert!(text.len() <= most && text.contains("did not fit here"), "{most}: {}", text.len());
        }
    }

    /// The bars that divide cells, of which a row has one more than columns.
    fn bars(row: &str) -> usize {
        let mut escaped = false;
        let bars = row.chars().filter(|c| {
            let bar = *c == '|' && !escaped;
            escaped = *c == '\\' && !escaped;
            bar
        });
        bars.count()
    }

    #[test]
    fn a_bar_behind_a_backslash_begins_no_cell() {
        assert_eq!(cell("#-\\|"), "`#-\\\\u{7c}`");
        assert_eq!(cell("a\\|b"), "a\\\\\\|b");
    }

    proptest! {
        #[test]
        fn a_stranger_adds_no_cell_no_line_and_no_markup(text in "[|`<>@#*\\[\\]\\\\\r\n a-]{0,12}|\\PC{0,12}|.{0,12}") {
            let plain = shown(&Sheet::of_run(&sample::evident("words"), &sample::outputs(), 4));
            let page = shown(&Sheet::of_run(&sample::evident(&text), &sample::outputs(), 4));
            prop_assert!(!page.chars().any(|c| is_hidden(c) && c != '\n'));
            prop_assert_eq!(page.lines().count(), plain.lines().count());
            for (one, other) in page.lines().zip(plain.lines()) {
                if other.starts_with('|') {
                    prop_assert_eq!(bars(one), bars(other), "{}", one);
                }
                prop_assert_eq!(one.starts_with(['<', '#', '`', '|', '-']), other.starts_with(['<', '#', '`', '|', '-']), "{}", one);
            }
        }
    }
}
