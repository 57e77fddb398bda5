//! Where in a data file a value stands, to be written down only where something is wrong with it.

use std::fmt;

use crate::core::pointer::escape;

/// A value in a data file, by the way to it.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    File,
    Member(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl<'a> At<'a> {
    pub fn member(&'a self, name: &'a str) -> At<'a> {
        At::Member(self, name)
    }

    pub fn item(&'a self, index: usize) -> At<'a> {
        At::Item(self, index)
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Member(above, name) => write!(f, "{above}/{}", escape(name)),
            Self::Item(above, index) => write!(f, "{above}/{index}"),
        }
    }
}
