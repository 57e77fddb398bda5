//! What is known of servers, as data: profiles with their named operations, the tool lock, the class of a tool, which
//! tools may be called, and whether arguments fit a tool's schema.

mod agreed;
mod allow;
mod answer;
mod arguments;
mod class;
mod contradiction;
mod draft;
mod family;
mod fit;
pub mod lock;
mod nearest;
mod operation;
mod places;
mod profile;
mod schema;
mod schema_cost;

pub use crate::core::yaml::{YamlError, read_yaml};
pub use agreed::Agreed;
pub use allow::{AllowList, Allowed, Forbidden};
pub use answer::{Reading, confirms_dry_run, created_ids};
pub use arguments::ArgumentProblem;
pub use class::{ClassReason, ToolClass, class_in, class_of};
pub use draft::draft;
pub use family::Family;
pub use fit::{Fit, Misfit};
pub use operation::{
    Argument, Control, Created, Expectation, Idempotency, Lookup, Operation, OperationBasis, Place, Switch,
};
pub use profile::{Basis, Context, ContextField, ErrorCodes, Profile, ProfileError, StateWords};
pub use schema::{Schema, SchemaProblem, SchemaProblemKind, check_arguments, prepare_schemas};
