//! The name that was probably meant.

/// Names further apart than this (Jaro-Winkler, 0 to 1) are not taken for each other.
const ALIKE: f64 = 0.8;

/// The name of `known` that is most like `name`, if one is like it at all.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = known.into_iter().map(|other| (strsim::jaro_winkler(other, name), other));
    let nearest = alike.filter(|(likeness, _)| *likeness >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map(|(_, other)| other)
}
