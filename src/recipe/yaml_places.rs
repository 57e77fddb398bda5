//! Where the parts of any YAML text stand, for messages about a file that is no recipe.

use super::diagnostic::Span;
use super::source::Source;
use super::yaml::File;

/// The places of a YAML text.
#[derive(Debug, Clone)]
pub struct YamlPlaces(File);

impl YamlPlaces {
    /// Reads the places; none where the text has what recipes may not have, such as aliases: a place that cannot be
    /// found is left out, never guessed.
    #[must_use]
    pub fn read(source: &Source) -> Option<Self> {
        File::read(source.clone()).ok().map(Self)
    }

    /// The key at a JSON pointer, or the nearest one above it that is there.
    #[must_use]
    pub fn nearest(&self, pointer: &str) -> Option<Span> {
        let mut at = pointer;
        loop {
            match self.0.key_span(at) {
                Some(span) => return Some(span),
                None => at = at.rsplit_once('/')?.0,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_not_there_is_the_nearest_above_it() {
        let source = Source::from_bytes("p.yaml", b"a:\n  b: { c: 1 }\n").unwrap();
        let places = YamlPlaces::read(&source).unwrap();
        let line = |pointer: &str| places.nearest(pointer).map(|span| (span.line, span.column));
        assert_eq!(line("/a/b/c"), Some((2, 8)));
        assert_eq!(line("/a/b/x/y"), Some((2, 3)));
        assert_eq!(line("/x"), Some((1, 1)));
    }

    #[test]
    fn the_shipped_profiles_have_places() {
        for name in ["loopiq", "plain"] {
            let text = crate::catalog::Profile::shipped(name).unwrap();
            let source = Source { name: name.to_owned(), text: text.to_owned() };
            assert!(YamlPlaces::read(&source).unwrap().nearest("/operations").unwrap().line > 1);
        }
    }
}
