//! Canonical JSON (RFC 8785), the only form that is hashed, stored and sent.

use serde_json::{Map, Number, Value};
use thiserror::Error;

pub use super::strict::{StrictError, check_unambiguous, parse_strict, parse_unambiguous};

/// The largest integer that every JSON reader keeps exactly: 2⁵³ − 1.
pub const LARGEST_INTEGER: i64 = 9_007_199_254_740_991;

/// 2⁶⁴: canonical JSON spells the whole doubles below it as digits alone, which a reader takes for a
/// 64-bit integer.
const INTEGERS_END: f64 = 18_446_744_073_709_551_616.0;

/// A number that would not survive the way through another JSON reader.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{number}` at `{pointer}` is outside ±(2⁵³−1), where JSON readers stop agreeing on integers")]
pub struct UnsafeNumber {
    /// JSON pointer of the number in the value that was checked.
    pub pointer: String,
    /// The number as it was written.
    pub number: String,
}

/// The canonical text of `value`: UTF-8, no white space, members sorted by UTF-16 code units.
///
/// # Errors
/// A number anywhere in `value` that [`check_numbers`] refuses.
pub fn canonical(value: &Value) -> Result<String, UnsafeNumber> {
    check_numbers(value)?;
    // The numbers are checked and a `Value` has nothing else that could fail.
    serde_json_canonicalizer::to_string(value)
        .map_err(|error| UnsafeNumber { pointer: String::new(), number: error.to_string() })
}

/// Refuses integers that a JSON reader may round, and doubles whose canonical text is such an integer:
/// what is written must be readable again.
///
/// # Errors
/// The first such number in document order.
pub fn check_numbers(value: &Value) -> Result<(), UnsafeNumber> {
    fn walk(value: &Value) -> Result<(), UnsafeNumber> {
        match value {
            Value::Number(number) if is_unsafe(number) => {
                Err(UnsafeNumber { pointer: String::new(), number: number.to_string() })
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| walk(item).map_err(|found| found.below(&index.to_string()))),
            Value::Object(members) => {
                members.iter().try_for_each(|(name, member)| walk(member).map_err(|found| found.below(name)))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }
    walk(value)
}

impl UnsafeNumber {
    /// The same, seen from one level above, where its value is at `token`.
    fn below(self, token: &str) -> Self {
        let Self { pointer, number } = self;
        Self { pointer: format!("/{}{pointer}", super::pointer::escape(token)), number }
    }
}

/// Whether the two are the same as canonical JSON: 1 is 1.0. Values that have no canonical JSON are the
/// same only if they are written alike.
#[must_use]
pub fn same(one: &Value, other: &Value) -> bool {
    one == other || canonical(one).is_ok_and(|one| canonical(other).is_ok_and(|other| one == other))
}

/// Puts null where [`check_numbers`] would refuse a number, and gives those numbers as they are written,
/// by their JSON pointers.
pub(super) fn take_unsafe_numbers(value: &mut Value) -> Map<String, Value> {
    fn walk(value: &mut Value, pointer: &str, taken: &mut Map<String, Value>) {
        match value {
            Value::Number(number) if is_unsafe(number) => {
                taken.insert(pointer.to_owned(), Value::String(number.to_string()));
                *value = Value::Null;
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    walk(item, &format!("{pointer}/{index}"), taken);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    walk(member, &format!("{pointer}/{}", super::pointer::escape(name)), taken);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut taken = Map::new();
    walk(value, "", &mut taken);
    taken
}

/// Whether canonical JSON does not carry a number.
pub(super) fn is_unsafe(number: &Number) -> bool {
    let integer = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64());
    match (integer, number.as_f64()) {
        (Some(integer), _) => integer > LARGEST_INTEGER.unsigned_abs(),
        (None, Some(double)) => {
            let whole = double.abs();
            whole.fract() == 0.0 && whole > LARGEST_INTEGER as f64 && whole < INTEGERS_END
        }
        (None, None) => true,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// The example of RFC 8785, section 3.2.2 and 3.2.3.
    #[test]
    fn the_example_of_the_rfc() {
        let value: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
               "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
               "literals":[null,true,false]}"#,
        )
        .unwrap();
        assert_eq!(
            canonical(&value).unwrap(),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
    }

    /// RFC 8785, section 3.2.3: members are sorted by UTF-16 code units, not by code points.
    #[test]
    fn members_are_sorted_by_utf16_code_units() {
        let value =
            json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        assert_eq!(
            canonical(&value).unwrap(),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }

    /// RFC 8785, appendix B: doubles by their bits, and what they are written as.
    #[test]
    fn the_numbers_of_appendix_b() {
        for (bits, text) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(canonical(&json!(f64::from_bits(bits))).unwrap(), text);
        }
    }

    #[test]
    fn integers_that_readers_round_are_refused_with_their_place() {
        let value = json!({"a": [1, {"b/c": 9_007_199_254_740_992_u64}]});
        assert_eq!(
            canonical(&value).unwrap_err(),
            UnsafeNumber { pointer: "/a/1/b~1c".into(), number: "9007199254740992".into() }
        );
        assert!(canonical(&json!(-9_007_199_254_740_992_i64)).is_err());
        assert_eq!(canonical(&json!(LARGEST_INTEGER)).unwrap(), "9007199254740991");
        assert_eq!(canonical(&json!(-LARGEST_INTEGER)).unwrap(), "-9007199254740991");
    }

    /// Found by the property below: a double whose canonical text no reader of ours takes back.
    #[test]
    fn doubles_that_are_spelled_as_unsafe_integers_are_refused_too() {
        for number in [9_007_199_254_740_992.0, -9_007_199_254_740_992.0, 251_958_981_396_230_100.0, 1e19] {
            assert!(canonical(&json!(number)).is_err(), "{number}");
        }
        for number in [9_007_199_254_740_991.0, 1e20, 1e300, 0.5, -0.0] {
            let text = canonical(&json!(number)).unwrap();
            assert_eq!(canonical(&parse_strict(text.as_bytes()).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn two_spellings_of_a_number_are_the_same() {
        assert!(same(&json!({"a": [1]}), &json!({"a": [1.0]})));
        assert!(!same(&json!(1), &json!("1")));
        assert!(!same(&json!(null), &json!(false)));
        assert!(same(&json!(u64::MAX), &json!(u64::MAX)));
        assert!(!same(&json!(u64::MAX), &json!(u64::MAX - 1)));
    }

    /// Any JSON value of small size, its numbers within the safe range.
    pub(crate) fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-LARGEST_INTEGER..=LARGEST_INTEGER).prop_map(Value::from),
            any::<f64>()
                .prop_map(Value::from)
                .prop_filter("finite and safe", |n| n.is_number() && check_numbers(n).is_ok()),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reading_it_back_and_writing_it_again_changes_no_byte(value in any_value()) {
            let once = canonical(&value).unwrap();
            let read = parse_strict(once.as_bytes()).unwrap();
            prop_assert_eq!(canonical(&read).unwrap(), once);
        }
    }
}
