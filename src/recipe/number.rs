//! Whether the text of a number survives the way through a double.

use serde_json::Value;

use crate::core::json::LARGEST_INTEGER;

/// Digits without zeros at either end, and the power of ten of the last one: equal for equal numbers.
pub(super) fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let significant = significant.trim_start_matches('0').to_owned();
    if significant.is_empty() {
        return Some((false, significant, 0));
    }
    Some((negative, significant, exponent.checked_add(zeros)?))
}

/// Whether a double is still the same number when its canonical JSON is read back: from 2⁵³ to 10²¹ it is
/// written as an integer, which readers round.
pub(super) fn survives(double: f64) -> bool {
    let written_as_integer = double.abs() >= 9_007_199_254_740_992.0 && double.abs() < 1e21;
    double.is_finite() && !written_as_integer
}

/// The number that `text` writes in JSON's syntax, if a double keeps it exactly as written and an integer
/// is within ±(2⁵³−1).
pub(super) fn exact(text: &str) -> Option<Value> {
    if text.contains(char::is_whitespace) {
        return None;
    }
    let number: serde_json::Number = serde_json::from_str(text).ok()?;
    if !text.contains(['.', 'e', 'E']) {
        let integer = number.as_i64()?;
        return (integer.unsigned_abs() <= LARGEST_INTEGER.unsigned_abs()).then(|| Value::from(integer));
    }
    let double = number.as_f64()?;
    (survives(double) && decimal(text) == decimal(&format!("{double:e}"))).then(|| Value::from(double))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spelling_does_not_matter_and_value_does() {
        assert_eq!(decimal("1.50"), decimal("+15e-1"));
        assert_eq!(decimal("-0.0"), decimal("0"));
        assert_eq!(decimal("1000"), decimal("1e3"));
        assert_ne!(decimal("0.1"), decimal("0.10000000000000000055"));
        assert_eq!(decimal("1e99999999999999999999"), None);
    }

    #[test]
    fn only_numbers_that_a_double_keeps_are_exact() {
        assert_eq!(exact("9007199254740991"), Some(json!(9_007_199_254_740_991_i64)));
        assert_eq!(exact("-1.50"), Some(json!(-1.5)));
        for text in
            ["9007199254740992", "0.10000000000000000055", "1e400", "1e17", "NaN", "01", "", " 1", "1_000"]
        {
            assert_eq!(exact(text), None, "{text}");
        }
    }
}
