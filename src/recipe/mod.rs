//! Recipes: source ▸ document ▸ validated recipe, its inputs and its templates.
//!
//! A recipe is untrusted text. It is read as YAML without the parts of YAML that surprise (aliases, tags,
//! duplicate and non-string keys, numbers that change on the way), checked as a whole with every problem at
//! once, and only then are its string leaves templates. A template sees inputs and earlier steps; a value
//! that is not there makes it fail rather than false. Nothing here does input or output but reading the
//! files of recipes.

mod access;
mod agreed;
mod analysis;
mod build;
mod builder;
mod call;
mod carried;
mod cases;
mod data;
mod declare;
mod diagnostic;
mod document;
mod emits;
mod escape;
mod include;
mod input;
mod input_schema;
mod language;
mod leaves;
mod lenient;
mod library;
mod load;
mod number;
mod recommended;
#[cfg(test)]
mod refusals;
mod resolve;
mod scope;
mod source;
mod step;
mod structure;
mod syntax;
mod template;
mod token;
mod tree;
mod walk;
mod yaml;
mod yaml_places;

pub use analysis::Analysis;
pub use cases::{At, CASES, Case, Cases, Evidence, Expected, Planned};
pub use diagnostic::{Diagnostic, Problems, Span};
pub use document::json_schema;
pub use escape::markdown;
pub use input::{BadValue, Input, InputKind, RESERVED_INPUTS};
pub use input_schema::inputs_schema;
pub use leaves::FROM_SECRET;
pub use library::{Library, ShippedLibrary};
pub use load::{declared_profile, declared_server, load, load_agreed};
pub use resolve::{
    Given, InputProblem, InputsFileError, Origin, Resolved, bind, called_with, read_inputs_file, resolve,
    variable,
};
pub use scope::{Scope, Values};
pub use source::{LARGEST_SOURCE, Source, SourceError, shipped, shipped_beside, shipped_cases};
pub use step::{
    Analyze, Condition, Emit, Expectation, Gate, Include, Kind, Read, Recipe, Reconcile, Retry, Step, StepId,
    Use, Write,
};
pub use template::{Expression, TemplateError, TemplateErrorKind};
pub use tree::Tree;
pub use yaml_places::YamlPlaces;
