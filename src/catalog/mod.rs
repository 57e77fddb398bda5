//! What is known of servers, as data: profiles with their named operations, the class of a tool, and
//! whether arguments fit a tool's schema.

mod profile;

pub use profile::{
    Argument, Basis, Context, ContextField, Control, Created, ErrorCodes, Expectation, Idempotency, Lookup,
    Operation, OperationBasis, Place, Profile, ProfileError, StateWords, Switch,
};
