//! Points: effort and capacity, to a thousandth, so that sums are exact.

use serde::{Serialize, Serializer};

/// Thousandths of a point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Points(u64);

/// More than anybody means: sums of these do not overflow.
const MOST: f64 = 1e9;

impl Points {
    /// A number of points from 0; none where it is none, or more than anybody means.
    pub fn of(number: f64) -> Option<Self> {
        if !(0.0..=MOST).contains(&number) {
            return None;
        }
        // By way of its digits: a cast would be silent where this is none.
        format!("{:.0}", number * 1000.0).parse().ok().map(Self)
    }

    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of it; nothing where `other` is more.
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// In words: `5`, `2.5`.
    pub fn shown(self) -> String {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        match rest {
            0 => whole.to_string(),
            rest => format!("{whole}.{rest:03}").trim_end_matches('0').to_owned(),
        }
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0 / 1000, self.0 % 1000) {
            (whole, 0) => serializer.serialize_u64(whole),
            _ => serializer.serialize_f64(self.shown().parse().unwrap_or_default()),
        }
    }
}

impl std::iter::Sum for Points {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::plus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tenths_add_up_and_what_is_no_number_of_points_is_none() {
        let tenth = Points::of(0.1).unwrap();
        assert_eq!([tenth; 3].into_iter().sum::<Points>(), Points::of(0.3).unwrap());
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e10] {
            assert_eq!(Points::of(bad), None, "{bad}");
        }
        let shown: Vec<String> = [5.0, 2.5, 0.125, 0.0].map(|n| Points::of(n).unwrap().shown()).into();
        assert_eq!(shown, ["5", "2.5", "0.125", "0"]);
        assert_eq!(json!([Points::of(5.0), Points::of(2.5)]), json!([5, 2.5]));
    }
}
