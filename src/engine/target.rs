//! Whom a run talks to: the server as it is named, the tenant, the profile, and the server's own word.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::result::{Conclusion, ContractFact};
use super::tenant::TenantRules;
use crate::artifact::v1;
use crate::catalog::{Agreed, ClassReason, ContextField, Profile, ToolClass, class_in};
use crate::core::id::{RequestId, Trace};
use crate::core::text::{excerpt, visible};
use crate::core::{Digest, Pointer, ToolAnswer, ToolCall, ToolDefinition};

/// A server and the tenant to act for.
#[derive(Debug, Clone)]
pub struct Target {
    /// What an approval calls it: `sandbox`, a child's configured name, or a URL; `replay:` and a digest for a recording,
    /// which nobody can approve.
    pub identity: String,
    /// Whether it is the embedded sandbox.
    pub sandbox: bool,
    /// The tenant, where the command line or the settings name one.
    pub tenant: Option<String>,
    /// What is known of the server.
    pub profile: Arc<Profile>,
    /// What was agreed on for the server: the tool lock, and which tools may be called.
    pub agreed: Agreed,
    /// What the trust settings say of its tenants.
    pub tenants: TenantRules,
    /// Where it is the replay of a recording: what an approval called the server that was recorded.
    pub recorded: Option<String>,
}

impl Target {
    /// Names a target.
    #[must_use]
    pub fn new(identity: String, sandbox: bool, tenant: Option<String>, profile: Arc<Profile>) -> Self {
        let agreed = Agreed { server: identity.clone(), ..Agreed::default() };
        let tenants = TenantRules::default();
        Self { identity, sandbox, tenant, profile, agreed, tenants, recorded: None }
    }

    /// The same target with what was agreed on for it.
    #[must_use]
    pub fn agreed(self, agreed: Agreed) -> Self {
        Self { agreed, ..self }
    }

    /// What the tool lock calls it: a replay by the name of what was recorded.
    #[must_use]
    pub fn locked_as(&self) -> &str {
        self.recorded.as_deref().unwrap_or(&self.identity)
    }

    /// The profile's name and digest.
    pub fn profile_fact(&self) -> v1::Profile {
        v1::Profile { name: self.profile.profile.clone(), digest: self.profile.digest() }
    }
}

/// What every call of a run carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    pub profile: &'a Profile,
    pub tenant: Option<&'a str>,
    pub workflow: &'a str,
    pub trace: &'a Trace,
}

impl Caller<'_> {
    /// Adds the arguments that are the profile's to set and that stay the same for every attempt: tenant
    /// and workflow, where the profile has them travel as arguments.
    ///
    /// # Errors
    /// The recipe has set one of them itself.
    pub fn settled(&self, mut arguments: Map<String, Value>) -> Result<Map<String, Value>, String> {
        let context = &self.profile.context;
        for (field, value) in [(&context.tenant, self.tenant), (&context.workflow, Some(self.workflow))] {
            if let (Some(at), Some(value)) = (place(field), value) {
                put(&mut arguments, at, value)?;
            }
        }
        Ok(arguments)
    }

    /// Addresses a call whose arguments are settled: request ID and trace, and the rest of the context in
    /// `_meta` or headers.
    ///
    /// # Errors
    /// The recipe has set one of them itself.
    pub fn address(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<(ToolCall, RequestId), String> {
        let context = &self.profile.context;
        let request_id = RequestId::new();
        let (id, span) = (request_id.to_string(), self.trace.span());
        let mut call = ToolCall {
            tool: tool.to_owned(),
            arguments,
            meta: Map::new(),
            headers: BTreeMap::new(),
            secrets: BTreeMap::new(),
            tenant: self.tenant.map(str::to_owned),
            varying: Vec::new(),
        };
        for (field, value) in [(&context.request_id, &id), (&context.trace, &span)] {
            if let Some(at) = place(field) {
                put(&mut call.arguments, at, value)?;
                call.varying.push(at.clone());
            }
        }
        for (field, value) in [
            (&context.request_id, Some(id.as_str())),
            (&context.trace, Some(span.as_str())),
            (&context.workflow, Some(self.workflow)),
            (&context.tenant, self.tenant),
        ] {
            let (Some(field), Some(value)) = (field, value) else { continue };
            if let Some(key) = &field.meta {
                call.meta.insert(key.clone(), Value::from(value));
            }
            if let Some(name) = &field.header {
                call.headers.insert(name.clone(), value.to_owned());
            }
        }
        if let (Some(state), Some(trace)) = (self.trace.state(), &context.trace) {
            match &trace.header {
                Some(_) => {
                    call.headers.insert("tracestate".to_owned(), state.to_owned());
                }
                None => {
                    call.meta.insert("tracestate".to_owned(), Value::from(state));
                }
            }
        }
        Ok((call, request_id))
    }
}

fn place(field: &Option<ContextField>) -> Option<&Pointer> {
    field.as_ref()?.argument.as_ref()
}

fn put(arguments: &mut Map<String, Value>, at: &Pointer, value: &str) -> Result<(), String> {
    if at.get(&Value::Object(arguments.clone())).is_some() {
        return Err(format!("the argument at `{at}` is the profile's to set"));
    }
    at.set(arguments, Value::from(value)).map_err(|error| error.to_string())
}

/// The server's tools by name, each with the class it has for us, and which of them may be called.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    offered: BTreeMap<String, (ToolDefinition, ToolClass)>,
    /// Why a tool may not be called, in words.
    forbidden: BTreeMap<String, String>,
    /// What takes a tool into the lock.
    lock_command: String,
}

impl Tools {
    pub fn survey(target: &Target, tools: Vec<ToolDefinition>) -> Self {
        let Target { profile, agreed, .. } = target;
        let forbidden = tools.iter().filter_map(|tool| {
            let (why, hint) = agreed.forbids(profile, &tool.name)?;
            Some((tool.name.clone(), format!("{why}; {hint}")))
        });
        Self {
            forbidden: forbidden.collect(),
            lock_command: agreed.lock_command(),
            offered: tools
                .into_iter()
                .map(|tool| {
                    let class = class_in(agreed.lock.as_ref(), profile, &tool);
                    (tool.name.clone(), (tool, class))
                })
                .collect(),
        }
    }

    pub fn len(&self) -> usize {
        self.offered.len()
    }

    pub fn get(&self, name: &str) -> Option<&(ToolDefinition, ToolClass)> {
        self.offered.get(name)
    }

    /// The class that each has for us, by its name.
    pub fn classes(&self) -> BTreeMap<String, ToolClass> {
        self.offered.iter().map(|(name, (_, class))| (name.clone(), *class)).collect()
    }

    /// Whether the settings let a tool be called.
    ///
    /// # Errors
    /// Why not, and what to add to them.
    pub fn permitted(&self, name: &str) -> Result<(), String> {
        self.forbidden.get(name).map_or(Ok(()), |why| Err(why.clone()))
    }

    /// Why a tool is not read.
    pub fn not_read(&self, name: &str, class: &ToolClass) -> String {
        let hint = match class.why {
            ClassReason::Unlocked => format!("; once it is reviewed, `{}` takes it in", self.lock_command),
            _ => String::new(),
        };
        format!("`{}` is not read: {}{hint}", visible(name), class.why)
    }
}

/// The contract's facts, and for which tenant the server believes that it answers, where it says so.
///
/// # Errors
/// What should be a tenant's name is something else.
pub(super) fn hear_contract(
    target: &Target,
    answer: &ToolAnswer,
) -> Result<(ContractFact, Option<String>), Conclusion> {
    let heard = answer.structured.clone().unwrap_or_else(|| answer.plain());
    let digest = Digest::of_foreign_json("loopgate.contract/1", &heard);
    let contract = ContractFact { digest, answer: heard };
    let named = target
        .profile
        .contract
        .as_ref()
        .and_then(|name| target.profile.operation(name))
        .zip(target.profile.tenant_from.as_ref())
        .and_then(|(operation, field)| {
            target.profile.read_answer(operation, &Map::new(), answer).value.get(field).cloned()
        });
    match named {
        None | Some(Value::Null) => Ok((contract, None)),
        Some(Value::String(server)) => Ok((contract, Some(server))),
        Some(other) => {
            let other = excerpt(&other.to_string(), 100);
            Err(Conclusion::SignIn(format!("the server answers for `{other}`, which is no tenant's name")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target(tenant: Option<&str>) -> Target {
        let profile = Profile::loopiq().unwrap();
        Target::new("sandbox".into(), true, tenant.map(str::to_owned), profile)
    }

    fn contract(tenant: Option<&str>) -> ToolAnswer {
        ToolAnswer { structured: Some(json!({"contract": {"tenant": {"id": tenant}}})), text: Vec::new() }
    }

    #[test]
    fn every_call_says_who_asks_and_in_which_trace() {
        let target = target(Some("acme"));
        let trace = Trace::from_parent(None, None);
        let caller = Caller { profile: &target.profile, tenant: Some("acme"), workflow: "w", trace: &trace };
        let (call, id) = caller.address("t", Map::new()).unwrap();
        assert_eq!(call.meta["loopiq/tenant"], "acme");
        assert_eq!(call.meta["loopiq/workflow"], "w");
        assert_eq!(call.meta["loopiq/requestId"], id.to_string());
        assert!(call.meta["traceparent"].as_str().unwrap().contains(trace.trace_id()));
        let (_, other) = caller.address("t", Map::new()).unwrap();
        assert_ne!(id, other);
    }

    #[test]
    fn a_context_argument_is_the_profiles_to_set() {
        let mut target = target(Some("acme"));
        let field = Arc::make_mut(&mut target.profile).context.tenant.as_mut().unwrap();
        (field.meta, field.argument) = (None, Some("/org".parse().unwrap()));
        let trace = Trace::from_parent(None, None);
        let caller = Caller { profile: &target.profile, tenant: Some("acme"), workflow: "w", trace: &trace };
        assert_eq!(caller.settled(Map::new()).unwrap()["org"], "acme");
        assert!(caller.settled(Map::from_iter([("org".into(), json!("globex"))])).is_err());
    }

    #[test]
    fn a_contract_names_the_tenant_or_nobody() {
        for tenant in [Some("acme"), None] {
            let (_, named) = hear_contract(&target(Some("globex")), &contract(tenant)).unwrap();
            assert_eq!(named.as_deref(), tenant);
        }
    }

    #[test]
    fn a_tenant_of_another_shape_is_refused() {
        for id in [json!(7), json!(["acme"]), json!({"name": "acme"})] {
            let answer =
                ToolAnswer { structured: Some(json!({"contract": {"tenant": {"id": id}}})), text: vec![] };
            assert!(matches!(hear_contract(&target(Some("acme")), &answer), Err(Conclusion::SignIn(_))));
            assert!(matches!(hear_contract(&target(None), &answer), Err(Conclusion::SignIn(_))));
        }
    }
}
