//! The sandbox as a client sees it: over MCP, through a stream in this process.

use std::collections::{BTreeMap, BTreeSet};

use rmcp::model::{CallToolRequestParams, CallToolResult, Tool};
use rmcp::service::{RoleClient, RunningService};
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;

use super::graph::{Status, verdict};
use super::{Location, Sandbox, SandboxError, store};
use crate::core::Projection;
use crate::core::projection::{Lack, Verbatim, project_fields};

mod writes;

const CREATE: &str = "loopiq_create_remediation_work_package";
const CERTIFICATION: &str = "loopiq_get_release_certification";
const GRAPH: &str = "loopiq_get_release_certification_evidence_graph";
const SEARCH: &str = "loopiq_search_work";

/// The tools that write.
const WRITES: [&str; 6] = [
    CREATE,
    "loopiq_run_ai_ml_agent",
    "loopiq_update_record",
    "loopiq_assign_work",
    "loopiq_triage_incident",
    "loopiq_invoke_route",
];

fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::open(&Location::Memory).unwrap();
    sandbox.clock = || "2026-11-22T12:00:00Z".parse().unwrap();
    sandbox
}

struct Client {
    service: RunningService<RoleClient, ()>,
    server: JoinHandle<Result<(), SandboxError>>,
}

impl Client {
    async fn of(sandbox: &Sandbox) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let sandbox = sandbox.clone();
        let server = tokio::spawn(async move { sandbox.serve(theirs).await });
        let service = rmcp::serve_client((), ours).await.unwrap();
        Self { service, server }
    }

    async fn send(&self, tool: &str, arguments: Value, meta: Value) -> CallToolResult {
        let mut request = CallToolRequestParams::new(tool.to_owned()).with_arguments(object(arguments));
        request.meta = Some(object(meta).into());
        self.service.call_tool(request).await.unwrap()
    }

    /// The structured content of a call for a tenant, and the error code if it was refused.
    async fn call(&self, tenant: &str, tool: &str, arguments: Value) -> Result<Value, (String, String)> {
        let meta = json!({"loopiq/tenant": tenant, "loopiq/requestId": "R-1", "loopiq/workflow": "remediation-plan", "traceparent": "00-1-2-01"});
        outcome(self.send(tool, arguments, meta).await)
    }

    async fn acme(&self, tool: &str, arguments: Value) -> Result<Value, (String, String)> {
        self.call("acme", tool, arguments).await
    }

    async fn close(self) {
        self.service.cancel().await.unwrap();
        self.server.await.unwrap().unwrap();
    }
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn outcome(result: CallToolResult) -> Result<Value, (String, String)> {
    let content = result.structured_content.unwrap();
    let text = serde_json::to_value(&result.content).unwrap();
    let said: Value = serde_json::from_str(text[0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(said, content, "the text says what the structured content says");
    if result.is_error == Some(true) {
        let error = &content["error"];
        Err((error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned()))
    } else {
        Ok(content)
    }
}

fn code<T: std::fmt::Debug>(answer: Result<T, (String, String)>) -> String {
    answer.unwrap_err().0
}

fn package(changes: Value) -> Value {
    let mut package = object(json!({
        "releaseId": "REL-BLOCKED", "certificationId": "CERT-REL-BLOCKED", "reason": "13 findings block it",
        "parent": {"title": "Unblock REL-BLOCKED", "owner": "payments"},
        "children": [
            {"title": "Repair rounding", "owner": "quality", "reference": "CTL-202", "severity": "high"},
            {"title": "Talk to the board", "owner": "payments", "description": "Before Friday"},
        ],
        "dryRun": false, "approvalId": "APR-1", "idempotencyKey": "key-1",
    }));
    for (name, value) in object(changes) {
        if value.is_null() {
            package.remove(&name)
        } else {
            package.insert(name, value)
        };
    }
    Value::Object(package)
}

fn rows(sandbox: &Sandbox, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    sandbox.connection().query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_client_learns_that_it_talks_to_a_sandbox_and_what_each_tool_does() {
    let client = Client::of(&sandbox()).await;
    let info = client.service.peer_info().unwrap();
    assert!(info.instructions.as_ref().unwrap().contains("sandbox"));
    let tools = client.service.list_all_tools().await.unwrap();
    assert_eq!(tools.len(), super::tools::all().len());
    for tool in tools {
        let hints = tool.annotations.unwrap();
        let reads = !WRITES.contains(&tool.name.as_ref());
        assert_eq!(hints.read_only_hint, Some(reads), "{}", tool.name);
        assert_eq!((hints.destructive_hint, hints.open_world_hint), (Some(false), Some(false)));
        assert_eq!(hints.idempotent_hint, Some(reads));
        assert!(tool.title.is_some() && tool.description.is_some() && tool.output_schema.is_some());
    }
    client.close().await;
}

#[tokio::test]
async fn every_answer_fits_its_schema_and_the_shipped_profile() {
    let client = Client::of(&sandbox()).await;
    let tools = client.service.list_all_tools().await.unwrap();
    let dry = package(json!({"dryRun": true, "approvalId": null, "idempotencyKey": null}));
    for (operation, arguments) in [
        ("contract", json!({})),
        ("ai_ml_agents", json!({})),
        ("resources", json!({})),
        ("routes", json!({})),
        ("certification", json!({"releaseId": "REL-BLOCKED"})),
        ("evidence_graph", json!({"certificationId": "CERT-REL-BLOCKED"})),
        ("evidence_graph", json!({"certificationId": "CERT-REL-EMPTY"})),
        ("open_work", json!({"releaseId": "REL-BLOCKED", "references": ["CTL-203"], "open": true})),
        ("work_items", json!({"ids": ["STORY-1001", "TASK-2002"]})),
        ("work_package", dry),
        ("work_package", package(json!({}))),
        ("releases", json!({})),
        (
            "releases",
            json!({"ids": ["REL-READY"], "application": "storefront", "from": "2026-11-24", "to": "2026-11-24"}),
        ),
        ("release_checks", json!({"releaseId": "REL-BLOCKED"})),
        ("rollback_decisions", json!({"releaseId": "REL-READY"})),
        ("sprints", json!({"team": "payments", "open": true})),
        ("backlog", json!({})),
        (
            "backlog",
            json!({"team": "payments", "releaseId": "REL-BLOCKED", "ids": ["ISSUE-301"], "open": true}),
        ),
        ("incidents", json!({})),
        (
            "incidents",
            json!({"open": true, "from": "2026-11-20", "application": "payments", "ids": ["INC-4471"]}),
        ),
        ("change_requests", json!({})),
        ("change_requests", json!({"from": "2026-11-20", "to": "2026-11-20", "application": "payments"})),
        ("metrics", json!({"team": "security"})),
        (
            "metric_series",
            json!({"metrics": ["lead_time_hours", "escaped_defects"], "from": "2026-06-01", "to": "2026-11-20"}),
        ),
        ("dashboards", json!({})),
        ("dashboard", json!({"dashboardId": "DASH-RELEASE"})),
        ("assessment", json!({"agentId": "readiness", "subject": {"type": "release", "id": "REL-BLOCKED"}})),
        (
            "assessment",
            json!({"agentId": "incident-triage", "subject": {"type": "incident", "id": "INC-4471"}}),
        ),
    ] {
        fits_schema_and_profile(&client, &tools, operation, arguments).await;
    }
}

/// Makes the call, and holds arguments and answer against the tool's schemas and the profile's operation.
async fn fits_schema_and_profile(client: &Client, tools: &[Tool], operation: &str, arguments: Value) {
    #[derive(serde::Deserialize)]
    struct Profile {
        operations: BTreeMap<String, Operation>,
    }
    #[derive(serde::Deserialize)]
    struct Operation {
        tool: String,
        #[serde(default)]
        arguments: BTreeMap<String, Value>,
        result: BTreeMap<String, Projection>,
    }
    let profile: Profile = serde_yaml::from_str(include_str!("../catalog/profiles/loopiq.yaml")).unwrap();
    let Operation { tool, arguments: names, result } = &profile.operations[operation];
    let definition = tools.iter().find(|found| found.name == *tool).unwrap();
    for place in names.values() {
        let pointer = place.as_str().or(place["at"].as_str()).unwrap();
        let steps = pointer.trim_start_matches('/').split('/');
        let schema = Value::Object((*definition.input_schema).clone());
        let named = steps.fold(&schema, |schema, name| &schema["properties"][name]);
        assert!(named.is_object() || named == true, "{operation}: {pointer}");
    }
    let answer = client.acme(tool, arguments).await.unwrap();
    let schema = Value::Object((**definition.output_schema.as_ref().unwrap()).clone());
    jsonschema::validate(&schema, &answer).unwrap_or_else(|error| panic!("{operation}: {error}\n{schema:#}"));
    let mut missing = Vec::new();
    project_fields(result, &answer, &Verbatim, &mut missing);
    // The sandbox has a release without evidence, which the profile takes for no answer.
    missing.retain(|lack| lack.what != Lack::Empty);
    assert_eq!(missing, [], "{operation}");
}

#[tokio::test]
async fn the_contract_names_tenant_user_roles_and_retention() {
    let client = Client::of(&sandbox()).await;
    for tenant in ["acme", "globex"] {
        let answer = client.call(tenant, "loopiq_get_mcp_reliability_contract", json!({})).await.unwrap();
        let contract = &answer["contract"];
        assert_eq!(contract["tenant"]["id"], tenant);
        assert_eq!(contract["sandbox"], true);
        assert_eq!(contract["idempotency"]["retentionHours"], 24);
        // A raw route knows no dry run.
        assert_eq!(contract["dryRun"]["supportedBy"], json!(WRITES[..5]));
        assert!(contract["roles"].as_array().unwrap().contains(&json!("release_manager")));
    }
}

#[tokio::test]
async fn every_call_names_a_tenant_that_the_user_belongs_to() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    for tool in super::tools::all() {
        let nameless = client.send(&tool.tool.name, json!({}), json!({"loopiq/tenant": ""})).await;
        assert_eq!(code(outcome(nameless)), "TENANT_REQUIRED", "{}", tool.tool.name);
        assert_eq!(code(client.call("initech", &tool.tool.name, json!({})).await), "TENANT_REFUSED");
    }
    sandbox.connection().execute("DELETE FROM roles WHERE tenant_id = 'globex'", []).unwrap();
    let left = client.call("globex", CERTIFICATION, json!({"releaseId": "REL-GLOBEX-1"})).await;
    assert_eq!(code(left), "TENANT_REFUSED");
}

#[tokio::test]
async fn another_tenants_records_answer_like_ones_that_do_not_exist() {
    let client = Client::of(&sandbox()).await;
    let own = |id: &str| (json!({"releaseId": id}), json!({"certificationId": format!("CERT-{id}")}));
    for (tenant, id) in [("globex", "REL-BLOCKED"), ("acme", "REL-GLOBEX-1")] {
        let absent = "REL-NOWHERE";
        for (tool, foreign, nothing) in [
            (CERTIFICATION, own(id).0, own(absent).0),
            (CERTIFICATION, own(id).1, own(absent).1),
            (GRAPH, own(id).1, own(absent).1),
            (
                CREATE,
                package(json!({"releaseId": id, "certificationId": format!("CERT-{id}")})),
                package(json!({"releaseId": absent, "certificationId": format!("CERT-{absent}")})),
            ),
        ] {
            let (code, message) = client.call(tenant, tool, foreign).await.unwrap_err();
            let (expected, absence) = client.call(tenant, tool, nothing).await.unwrap_err();
            assert_eq!((code.as_str(), expected.as_str()), ("NOT_VISIBLE", "NOT_VISIBLE"));
            assert_eq!(message, absence.replace(absent, id));
        }
    }
    for (tenant, foreign) in [("globex", "acme"), ("acme", "globex")] {
        for (tool, own, absent) in [
            ("loopiq_list_release_checks", json!({"releaseId": "REL-READY"}), "REL-GLOBEX-1"),
            ("loopiq_list_rollback_decisions", json!({"releaseId": "REL-READY"}), "REL-GLOBEX-1"),
            ("loopiq_list_sprints", json!({"team": "payments"}), "fleet"),
            (
                "loopiq_query_metrics",
                json!({"metrics": ["lead_time_hours"], "from": "2026-06-01", "to": "2026-11-20"}),
                "routes_per_day",
            ),
            ("loopiq_get_dashboard", json!({"dashboardId": "DASH-RELEASE"}), "DASH-FLEET"),
            (
                "loopiq_assess_with_ai_ml_agent",
                json!({"agentId": "readiness", "subject": {"type": "release", "id": "REL-READY"}}),
                "REL-GLOBEX-1",
            ),
            (
                "loopiq_assess_with_ai_ml_agent",
                json!({"agentId": "incident-triage", "subject": {"type": "incident", "id": "INC-4471"}}),
                "INC-G081",
            ),
        ] {
            let of_acme = ["REL-READY", "payments", "lead_time_hours", "DASH-RELEASE", "INC-4471"];
            let own_id = of_acme.iter().find(|id| own.to_string().contains(&format!("\"{id}\""))).unwrap();
            let asking = |id: &str| serde_json::from_str(&own.to_string().replace(own_id, id)).unwrap();
            let id = if foreign == "acme" { own_id } else { absent };
            assert!(client.call(foreign, tool, asking(id)).await.is_ok(), "{tool} {id}");
            let (code, message) = client.call(tenant, tool, asking(id)).await.unwrap_err();
            let (expected, absence) = client.call(tenant, tool, asking("NOWHERE-1")).await.unwrap_err();
            assert_eq!((code.as_str(), expected.as_str()), ("NOT_VISIBLE", "NOT_VISIBLE"), "{tool}");
            assert_eq!(message, absence.replace("NOWHERE-1", id));
        }
        for (tool, filter) in [
            ("loopiq_search_releases", json!({"ids": ["REL-READY", "REL-GLOBEX-1"]})),
            ("loopiq_search_backlog", json!({"ids": ["ISSUE-301", "ISSUE-G301"]})),
            ("loopiq_search_incidents", json!({"ids": ["INC-4471", "INC-G081"]})),
        ] {
            let answer = client.call(tenant, tool, filter).await.unwrap();
            assert_eq!(answer["items"].as_array().unwrap().len(), 1, "{tool} {answer}");
        }
        for tool in [
            "loopiq_search_releases",
            "loopiq_search_backlog",
            "loopiq_search_incidents",
            "loopiq_search_change_requests",
            "loopiq_list_metrics",
            "loopiq_list_dashboards",
        ] {
            let ids = async |tenant| -> BTreeSet<String> {
                let answer = client.call(tenant, tool, json!({})).await.unwrap();
                let items = answer["items"].as_array().unwrap().clone();
                items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
            };
            let (ours, theirs) = (ids(tenant).await, ids(foreign).await);
            assert!(!ours.is_empty() && ours.is_disjoint(&theirs), "{tool}");
        }
    }
    let seen = |answer: Value| answer["items"].as_array().unwrap().len();
    let all = json!({"ids": ["STORY-1001", "TASK-2001", "STORY-1004", "TASK-2006"]});
    assert_eq!(seen(client.call("acme", SEARCH, all.clone()).await.unwrap()), 2);
    assert_eq!(seen(client.call("globex", SEARCH, all).await.unwrap()), 2);
    assert_eq!(seen(client.call("globex", SEARCH, json!({"releaseId": "REL-BLOCKED"})).await.unwrap()), 0);
}

#[tokio::test]
async fn a_dry_run_shows_everything_creates_no_id_and_writes_nothing() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    let state = || {
        let connection = sandbox.connection();
        (store::dump(&connection), connection.total_changes())
    };
    let before = state();
    for control in [json!({"approvalId": null, "idempotencyKey": null}), json!({})] {
        let mut changes = object(control);
        changes.insert("dryRun".into(), true.into());
        let answer = client.acme(CREATE, package(Value::Object(changes))).await.unwrap();
        assert_eq!(answer["dryRun"], true);
        assert_eq!(answer["preview"]["parentStory"]["title"], "Unblock REL-BLOCKED");
        assert_eq!(answer["preview"]["childTasks"][0]["reference"], "CTL-202");
        let text = answer.to_string();
        assert!(!text.contains("\"id\"") && !text.contains("null"), "{text}");
    }
    for wrong in [
        json!({"dryRun": true, "parent": {"title": " ", "owner": "x"}}),
        json!({"dryRun": true, "certificationId": "CERT-REL-READY"}),
        json!({"dryRun": true, "certificationId": "CERT-NOWHERE"}),
    ] {
        client.acme(CREATE, package(wrong)).await.unwrap_err();
    }
    assert_eq!(state(), before);
}

#[tokio::test]
async fn a_real_write_creates_exactly_what_was_asked_and_keeps_its_trace() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    let before = rows(&sandbox, "work_items");
    let answer = client.acme(CREATE, package(json!({}))).await.unwrap();
    assert_eq!(
        answer,
        json!({
            "dryRun": false, "replayed": false,
            "releaseId": "REL-BLOCKED", "certificationId": "CERT-REL-BLOCKED",
            "parentStory": {"id": "STORY-1005", "title": "Unblock REL-BLOCKED"},
            "childTasks": [
                {"id": "TASK-2007", "title": "Repair rounding", "reference": "CTL-202"},
                {"id": "TASK-2008", "title": "Talk to the board"},
            ],
            "approvalId": "APR-1", "idempotencyKey": "key-1",
            "audit": {"tenant": "acme", "user": "svc-release-pipeline", "requestId": "R-1",
                "workflow": "remediation-plan", "traceparent": "00-1-2-01", "at": "2026-11-22T12:00:00Z"},
        })
    );
    assert_eq!(rows(&sandbox, "work_items"), before + 3);
    let kept: (String, String, String, String, String) = sandbox
        .connection()
        .query_row("SELECT outcome, record_id, request_id, workflow, traceparent FROM audit", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .unwrap();
    assert_eq!(
        kept,
        ("created".into(), "STORY-1005".into(), "R-1".into(), "remediation-plan".into(), "00-1-2-01".into())
    );
    let found = client.acme(SEARCH, json!({"references": ["CTL-202"], "open": true})).await.unwrap();
    assert_eq!(found["items"][0]["id"], "STORY-1005");
    assert_eq!(found["items"][1]["parentId"], "STORY-1005");
}

#[tokio::test]
async fn the_same_key_gives_the_same_result_and_another_payload_under_it_a_conflict() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    let first = client.acme(CREATE, package(json!({}))).await.unwrap();
    let count = || rows(&sandbox, "work_items");
    let before = count();
    let mut again = client.acme(CREATE, package(json!({}))).await.unwrap();
    assert_eq!(again["replayed"], true);
    again["replayed"] = false.into();
    assert_eq!(again, first);
    for changes in [json!({"reason": "other"}), json!({"reason": "other", "dryRun": true})] {
        assert_eq!(code(client.acme(CREATE, package(changes)).await), "IDEMPOTENCY_CONFLICT");
    }
    assert_eq!(count(), before);
    assert_eq!(rows(&sandbox, "audit"), 2, "a replay is audited, a conflict changes nothing");
    // A key belongs to its tenant.
    let other = json!({"releaseId": "REL-GLOBEX-1", "certificationId": "CERT-REL-GLOBEX-1"});
    assert_eq!(client.call("globex", CREATE, package(other)).await.unwrap()["replayed"], false);
}

#[tokio::test]
async fn a_key_is_forgotten_after_its_retention_and_not_before() {
    let mut sandbox = sandbox();
    let at = |sandbox: &Sandbox| {
        let sandbox = sandbox.clone();
        async move {
            let client = Client::of(&sandbox).await;
            client.acme(CREATE, package(json!({}))).await.unwrap()["replayed"].clone()
        }
    };
    assert_eq!(at(&sandbox).await, false);
    sandbox.clock = || "2026-11-23T11:59:59Z".parse().unwrap();
    assert_eq!(at(&sandbox).await, true);
    sandbox.clock = || "2026-11-23T12:00:00Z".parse().unwrap();
    assert_eq!(at(&sandbox).await, false);
}

#[tokio::test]
async fn a_write_needs_approval_key_and_role() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    let before = store::dump(&sandbox.connection());
    assert_eq!(code(client.acme(CREATE, package(json!({"approvalId": null}))).await), "APPROVAL_REQUIRED");
    let (code_, message) = client.acme(CREATE, package(json!({"idempotencyKey": null}))).await.unwrap_err();
    assert_eq!(code_, "INVALID_ARGUMENT");
    assert!(message.starts_with("/idempotencyKey: "), "{message}");
    assert_eq!(store::dump(&sandbox.connection()), before);
    sandbox.connection().execute("DELETE FROM roles WHERE role = 'release_manager'", []).unwrap();
    assert_eq!(code(client.acme(CREATE, package(json!({}))).await), "NOT_PERMITTED");
    assert_eq!(code(client.acme(CREATE, package(json!({"dryRun": true}))).await), "NOT_PERMITTED");
}

#[tokio::test]
async fn a_wrong_argument_is_named_by_its_pointer() {
    let client = Client::of(&sandbox()).await;
    let child = |child: Value| package(json!({"children": [{"title": "a", "owner": "b"}, child]}));
    for (tool, arguments, pointer) in [
        (CERTIFICATION, json!({}), ""),
        (CERTIFICATION, json!({"releaseId": 7}), "/releaseId"),
        (CERTIFICATION, json!({"releaseId": "REL-READY", "limit": 1}), "/limit"),
        (
            CERTIFICATION,
            json!({"releaseId": "REL-READY", "certificationId": "CERT-REL-EMPTY"}),
            "/certificationId",
        ),
        (GRAPH, json!({}), "/certificationId"),
        ("loopiq_search_releases", json!({"from": "yesterday"}), "/from"),
        ("loopiq_search_incidents", json!({"state": "open"}), "/state"),
        (
            "loopiq_query_metrics",
            json!({"metrics": [], "from": "2026-06-01", "to": "2026-11-20"}),
            "/metrics",
        ),
        ("loopiq_list_sprints", json!({}), "/team"),
        (
            "loopiq_assess_with_ai_ml_agent",
            json!({"agentId": "readiness", "subject": {"type": "incident", "id": "INC-4471"}}),
            "/subject/type",
        ),
        (SEARCH, json!({}), ""),
        (SEARCH, json!({"open": true}), ""),
        (SEARCH, json!({"ids": "STORY-1001"}), "/ids"),
        (CREATE, package(json!({"dryRun": null})), "/dryRun"),
        (CREATE, package(json!({"children": []})), "/children"),
        (CREATE, child(json!({"title": "a", "owner": " "})), "/children/1/owner"),
        (CREATE, child(json!({"title": "a", "owner": "b", "severity": "urgent"})), "/children/1/severity"),
        (CREATE, child(json!({"owner": "b"})), "/children/1/title"),
        (CREATE, package(json!({"parent": {"title": "", "owner": "b"}})), "/parent/title"),
        (CREATE, package(json!({"approvalId": ""})), "/approvalId"),
        ("loopiq_list_routes", json!({"verbose": true}), "/verbose"),
    ] {
        let (code, message) = client.acme(tool, arguments.clone()).await.unwrap_err();
        assert_eq!(code, "INVALID_ARGUMENT", "{arguments}");
        let named = message.split_once(": ").map_or("", |(named, _)| named);
        assert_eq!(named, pointer, "{message}");
    }
}

#[tokio::test]
async fn a_write_that_fails_half_way_leaves_nothing_behind() {
    let sandbox = sandbox();
    sandbox
        .connection()
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON work_items WHEN new.title = 'Talk to the board'
             BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        )
        .unwrap();
    let client = Client::of(&sandbox).await;
    let before = store::dump(&sandbox.connection());
    let mut request = CallToolRequestParams::new(CREATE).with_arguments(object(package(json!({}))));
    request.meta = Some(object(json!({"loopiq/tenant": "acme"})).into());
    let error = client.service.call_tool(request).await.unwrap_err();
    assert!(error.to_string().contains("disk full"), "{error}");
    assert_eq!(store::dump(&sandbox.connection()), before);
    // The connection is fit for the next call.
    assert!(client.acme(CERTIFICATION, json!({"releaseId": "REL-READY"})).await.is_ok());
}

#[tokio::test]
async fn an_unknown_tool_is_an_error_of_the_protocol() {
    let client = Client::of(&sandbox()).await;
    let error = client.service.call_tool(CallToolRequestParams::new("loopiq_drop")).await.unwrap_err();
    assert!(error.to_string().contains("no tool `loopiq_drop`"), "{error}");
}

#[tokio::test]
async fn the_search_filters_by_all_that_is_given_and_says_where_it_stops() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    let ids = |answer: Value| -> Vec<String> {
        let items = answer["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        (json!({"releaseId": "REL-BLOCKED"}), vec!["STORY-1001", "TASK-2001", "TASK-2002"]),
        (
            json!({"references": ["CTL-203", "CTL-601"]}),
            vec!["STORY-1001", "STORY-1002", "TASK-2001", "TASK-2003"],
        ),
        (json!({"releaseId": "REL-BLOCKED", "references": ["CTL-601"]}), vec![]),
        (json!({"references": ["CTL-603"]}), vec!["STORY-1003", "TASK-2005"]),
        (json!({"references": ["CTL-603"], "open": true}), vec![]),
        (json!({"references": ["CTL-603"], "open": false}), vec!["STORY-1003", "TASK-2005"]),
        (json!({"ids": ["TASK-2002", "TASK-9999"]}), vec!["TASK-2002"]),
        (json!({"references": []}), vec![]),
    ] {
        let answer = client.acme(SEARCH, query.clone()).await.unwrap();
        assert_eq!(answer["complete"], true);
        assert_eq!(ids(answer), expected, "{query}");
    }
    let children: Vec<_> = (0..499).map(|n| json!({"title": format!("T{n}"), "owner": "x"})).collect();
    let everything = json!({"releaseId": "REL-REVIEW"});
    for (key, complete) in [("a", true), ("b", false)] {
        let package = package(json!({"releaseId": "REL-REVIEW", "certificationId": "CERT-REL-REVIEW",
            "children": children, "idempotencyKey": key}));
        client.acme(CREATE, package).await.unwrap();
        let answer = client.acme(SEARCH, everything.clone()).await.unwrap();
        assert_eq!((&answer["complete"], ids(answer.clone()).len()), (&json!(complete), 500));
    }
}

#[tokio::test]
async fn a_list_says_where_it_stops() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    let all = client.acme("loopiq_list_metrics", json!({"team": "security"})).await.unwrap();
    let there = i64::try_from(all["items"].as_array().unwrap().len()).unwrap();
    for (from, to, complete) in [(there + 1, 20_000, true), (20_001, 20_001, false)] {
        let sql = "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
            INSERT INTO metrics (tenant_id, id, name, team) SELECT 'acme', 'm' || i, 'm', 'security' FROM n";
        sandbox.connection().execute(sql, [from, to]).unwrap();
        let answer = client.acme("loopiq_list_metrics", json!({"team": "security"})).await.unwrap();
        let items = answer["items"].as_array().unwrap().len();
        assert_eq!((&answer["complete"], items), (&json!(complete), 20_000));
    }
}

#[tokio::test]
async fn a_long_list_comes_in_pages_and_every_item_once() {
    let sandbox = sandbox();
    let client = Client::of(&sandbox).await;
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2001)
        INSERT INTO change_requests (tenant_id, id, title, status, application)
        SELECT 'acme', 'CHG-X' || i, 't', 'requested', 'many' FROM n";
    sandbox.connection().execute(sql, []).unwrap();
    let tool = "loopiq_search_change_requests";
    let (mut cursor, mut sizes, mut ids) = (Value::Null, Vec::new(), BTreeSet::new());
    loop {
        let mut query = json!({"application": "many"});
        if !cursor.is_null() {
            query["cursor"] = cursor;
        }
        let answer = client.acme(tool, query).await.unwrap();
        let items = answer["items"].as_array().unwrap();
        sizes.push(items.len());
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        cursor = answer["nextCursor"].clone();
        assert_eq!(answer["complete"], json!(cursor.is_null()));
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((sizes.as_slice(), ids.len()), (&[1000, 1000, 1][..], 2001));
    let (code, message) = client.acme(tool, json!({"cursor": "soon"})).await.unwrap_err();
    assert_eq!((code.as_str(), message.contains("/cursor")), ("INVALID_ARGUMENT", true), "{message}");
}

#[tokio::test]
async fn processes_that_share_the_file_create_one_package_for_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::File(folder.path().join("sandbox.db"));
    let before = rows(&Sandbox::open(&location).unwrap(), "work_items");
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Client::of(&Sandbox::open(&location).unwrap()).await);
    }
    let calls: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(async move { client.acme(CREATE, package(json!({}))).await.unwrap() }))
        .collect();
    let mut ids = BTreeSet::new();
    let mut created = 0;
    for call in calls {
        let answer = call.await.unwrap();
        ids.insert(answer["parentStory"]["id"].to_string());
        created += u8::from(answer["replayed"] == false);
    }
    assert_eq!((ids.len(), created), (1, 1));
    assert_eq!(rows(&Sandbox::open(&location).unwrap(), "work_items"), before + 3);
}

#[tokio::test]
async fn a_peer_that_says_nothing_and_leaves_is_no_error() {
    let (ours, theirs) = tokio::io::duplex(64);
    drop(ours);
    sandbox().serve(theirs).await.unwrap();
}

/// The certifications of the seed with their graphs.
fn seeded() -> Vec<(String, Status, store::Graph)> {
    let sandbox = sandbox();
    let connection = sandbox.connection();
    let mut statement =
        connection.prepare("SELECT tenant_id, id, release_id, status FROM certifications").unwrap();
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get(3)?))
    });
    rows.unwrap()
        .map(Result::unwrap)
        .map(|(tenant, id, release, status): (_, _, _, Status)| {
            (release, status, store::graph(&connection, &tenant, &id).unwrap())
        })
        .collect()
}

#[test]
fn every_seeded_graph_says_what_its_certification_says() {
    for (release, status, graph) in seeded() {
        let follows = verdict(&graph.nodes);
        if status == Status::Rejected {
            assert_eq!(follows, Status::Blocked, "{release}");
        } else {
            assert_eq!(status, follows, "{release}");
        }
    }
}

#[test]
fn every_seeded_graph_is_whole_and_without_a_cycle() {
    for (release, _, graph) in seeded() {
        let ids: BTreeSet<_> = graph.nodes.iter().map(|node| &node.id).collect();
        assert!(graph.nodes.is_empty() || ids.contains(&release), "{release} has no root");
        assert!(graph.edges.iter().all(|edge| ids.contains(&edge.from) && ids.contains(&edge.to)));
        // Nodes that nothing points to are taken away until none is left; what is left turns in a circle.
        let mut edges: Vec<_> = graph.edges.iter().collect();
        loop {
            let ends: BTreeSet<_> = edges.iter().map(|edge| &edge.to).collect();
            let left: Vec<_> = edges.iter().copied().filter(|edge| ends.contains(&edge.from)).collect();
            if left.len() == edges.len() {
                break;
            }
            edges = left;
        }
        assert!(edges.is_empty(), "{release}: {edges:?}");
    }
}

#[test]
fn the_releases_that_others_build_on_are_what_their_names_say() {
    let blocking = |release: &str| {
        let (_, _, graph) = seeded().into_iter().find(|(found, ..)| found == release).unwrap();
        let mut counts = BTreeMap::new();
        for node in graph.nodes.into_iter().filter(super::graph::blocks) {
            *counts.entry(format!("{:?} {}", node.kind, node.status)).or_insert(0) += 1;
        }
        counts.into_iter().collect::<Vec<_>>()
    };
    let expect = |pairs: &[(&str, i32)]| pairs.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect::<Vec<_>>();
    assert_eq!(blocking("REL-READY"), []);
    assert_eq!(blocking("REL-EMPTY"), []);
    assert_eq!(
        blocking("REL-BLOCKED"),
        expect(&[
            ("Control failed", 5),
            ("Evidence missing", 2),
            ("Evidence quarantined", 1),
            ("Evidence stale", 1),
            ("ProviderBlocker blocking", 1),
            ("ProviderBlocker open", 3),
        ])
    );
    assert_eq!(blocking("REL-CONTROLS"), expect(&[("Control failed", 2)]));
    assert_eq!(
        blocking("REL-GAPS"),
        expect(&[("Evidence expired", 1), ("Evidence missing", 1), ("Evidence under_discussion", 1)])
    );
    assert_eq!(
        blocking("REL-PROVIDER"),
        expect(&[("ProviderBlocker blocking", 1), ("ProviderBlocker open", 1)])
    );
}

#[tokio::test]
async fn a_line_that_nobody_can_answer_ends_the_connection_and_is_told() {
    use tokio::io::AsyncWriteExt as _;

    let hello = br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
"#;
    let bad = b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\",\"x\":\"\xff\"}\n";
    let long = vec![b'a'; 17 << 20];
    for (line, told) in [(bad.as_slice(), "not UTF-8"), (long.as_slice(), "more than 16777216 bytes")] {
        for before in [b"".as_slice(), hello.as_slice()] {
            let (mut ours, theirs) = tokio::io::duplex(1 << 20);
            let (read, write) = tokio::io::split(theirs);
            let server = tokio::spawn(async move { sandbox().serve_lines(read, write).await });
            ours.write_all(before).await.unwrap();
            // The server may hang up in the middle of it.
            let _ = ours.write_all(line).await;
            let ended = tokio::time::timeout(std::time::Duration::from_secs(20), server).await;
            let error = ended.unwrap().unwrap().unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
