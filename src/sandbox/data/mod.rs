//! Data files: the records of organizations, in YAML or JSON. The seed is one, and any other may add to a sandbox.
//!
//! A file is taken whole or refused whole, with the place. Any word may be a status: what a service says that nobody
//! knows is what some records are there for. Every reference leads to a record of the same tenant, in the file or
//! from before.

mod format;
mod place;
mod plant;
mod surroundings;
mod work;

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Serialize;
use thiserror::Error;

use format::Data;
use plant::Planter;
pub(super) use plant::is_date;

use super::{SandboxError, store};
use crate::core::text::{excerpt, visible};
use crate::core::yaml::read_yaml_up_to;

/// Largest file, in bytes.
const LARGEST: usize = 64 << 20;

/// A data file.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Its name, for messages.
    pub name: String,
    /// What stands in it.
    pub bytes: Vec<u8>,
}

/// How many records a file brought, by what they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Loaded(pub BTreeMap<&'static str, usize>);

/// Why a data file is refused. Nothing of it was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{}`{}: {}", visible(file), if at.is_empty() { String::new() } else { format!(" at `{}`", visible(at)) }, excerpt(problem, 600))]
pub struct DataError {
    /// The file's name.
    pub file: String,
    /// JSON pointer of what is wrong; empty where the file as a whole is.
    pub at: String,
    /// What is wrong there.
    pub problem: String,
}

/// What happens to a record that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is a mistake.
    Refused,
    /// It stays as it is.
    Kept,
}

/// Loads the files in their order, in one transaction.
pub(super) fn load(connection: &mut Connection, files: &[DataFile]) -> Result<Vec<Loaded>, SandboxError> {
    let mut understood = Vec::with_capacity(files.len());
    for file in files {
        understood.push((file, read(file)?));
    }
    let writing = store::begin_write(connection)?;
    let mut loaded = Vec::with_capacity(files.len());
    for (file, data) in &understood {
        loaded.push(plant(&writing, &file.name, data, Known::Refused)?);
    }
    writing.commit()?;
    Ok(loaded)
}

/// Plants what a new sandbox starts with; where records are there already, what is lacking.
pub(super) fn plant_seed(writing: &Connection) -> Result<(), SandboxError> {
    for (name, text) in store::SEED {
        let data = serde_json::from_str(text).map_err(|error| DataError {
            file: name.to_owned(),
            at: String::new(),
            problem: error.to_string(),
        })?;
        plant(writing, name, &data, Known::Kept)?;
    }
    Ok(())
}

fn plant(writing: &Connection, name: &str, data: &Data, known: Known) -> Result<Loaded, SandboxError> {
    let mut planter = Planter::new(writing, known);
    match planter.data(data) {
        Ok(()) => Ok(Loaded(planter.counts)),
        Err(plant::Flaw::Store(error)) => Err(error.into()),
        Err(plant::Flaw::Data { at, problem }) => {
            Err(DataError { file: name.to_owned(), at, problem }.into())
        }
    }
}

fn read(file: &DataFile) -> Result<Data, DataError> {
    let refused = |problem: String| DataError { file: file.name.clone(), at: String::new(), problem };
    let text = std::str::from_utf8(&file.bytes).map_err(|error| refused(error.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let data: Data = read_yaml_up_to(text, LARGEST).map_err(|error| refused(error.to_string()))?;
    if data.users.is_empty() && data.tenants.is_empty() {
        return Err(refused("it has neither `users` nor `tenants`".to_owned()));
    }
    Ok(data)
}

#[cfg(test)]
mod tests;
