//! What a plain word means in YAML 1.1, as the YAML library of Kubernetes decides it.

use serde_json::Number;

use super::node::Value;

/// The value of a plain, untagged word.
///
/// `Err` for what JSON cannot say: infinities and NaN.
pub(super) fn plain(word: &str) -> Result<Value, String> {
    Ok(match word {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true, word.to_owned())
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false, word.to_owned())
        }
        _ if is_beyond_json(word) => {
            return Err(format!("must not hold {word}: JSON has no such number"));
        }
        _ => match number(word) {
            Some(number) => Value::Number(number, word.to_owned()),
            None => Value::Text(word.to_owned()),
        },
    })
}

fn is_beyond_json(word: &str) -> bool {
    let bare = word.strip_prefix(['+', '-']).unwrap_or(word);
    matches!(bare, ".inf" | ".Inf" | ".INF") || matches!(word, ".nan" | ".NaN" | ".NAN")
}

/// The number that a word is, if it is one. A date is text.
fn number(word: &str) -> Option<Number> {
    let first = word.chars().next()?;
    if first == '.' {
        return float(word);
    }
    if !first.is_ascii_digit() && first != '+' && first != '-' {
        return None;
    }
    let digits = word.replace('_', "");
    integer(&digits).or_else(|| float(&digits))
}

/// An integer as Go writes it: decimal, `0x`, `0o`, `0b`, and octal after a plain 0.
fn integer(word: &str) -> Option<Number> {
    let (negative, bare) = match word.strip_prefix('-') {
        Some(bare) => (true, bare),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let lower = bare.to_ascii_lowercase();
    let (digits, radix) = match lower.get(..2) {
        Some("0x") => (lower.get(2..)?, 16),
        Some("0o") => (lower.get(2..)?, 8),
        Some("0b") => (lower.get(2..)?, 2),
        Some(_) if lower.starts_with('0') => (lower.get(1..)?, 8),
        _ => (lower.as_str(), 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return 0_i64.checked_sub_unsigned(size).map(Number::from);
    }
    // Go reads a sign only for what fits 63 bits.
    let signed = word.starts_with('+');
    (!signed || i64::try_from(size).is_ok()).then(|| Number::from(size))
}

/// A decimal number with a point or an exponent, or too many digits for an integer.
fn float(word: &str) -> Option<Number> {
    let bare = word.strip_prefix(['+', '-']).unwrap_or(word);
    let (mantissa, exponent) = match bare.find(['e', 'E']) {
        Some(at) => (bare.get(..at)?, Some(bare.get(at + 1..)?)),
        None => (bare, None),
    };
    let digits = |text: &str| text.chars().all(|digit| digit.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_fits =
        digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|text| {
        let text = text.strip_prefix(['+', '-']).unwrap_or(text);
        !text.is_empty() && digits(text)
    });
    if !mantissa_fits || !exponent_fits {
        return None;
    }
    // Too large for a number, such as the commit 1e99999: text.
    let value: f64 = word.parse().ok()?;
    // A whole number has no point in the JSON that Go writes. Up to this size a float is exact.
    #[allow(clippy::cast_possible_truncation)]
    let whole = (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64);
    whole.map(Number::from).or_else(|| Number::from_f64(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(word: &str) -> String {
        match plain(word) {
            Ok(Value::Text(text)) => format!("text {text}"),
            Ok(Value::Number(number, _)) => format!("number {number}"),
            Ok(Value::Bool(value, _)) => format!("bool {value}"),
            Ok(_) => "null".to_owned(),
            Err(sentence) => sentence,
        }
    }

    #[test]
    fn words_mean_what_kubernetes_takes_them_for() {
        for (word, expected) in [
            ("~", "null"),
            ("on", "bool true"),
            ("n", "bool false"),
            ("oN", "text oN"),
            ("15", "number 15"),
            ("1_000", "number 1000"),
            ("0123456", "number 42798"),
            ("0891234", "number 891234"),
            ("0x1F", "number 31"),
            ("0o17", "number 15"),
            ("-0b11", "number -3"),
            ("+7", "number 7"),
            ("1e3", "number 1000"),
            ("12e4567", "text 12e4567"),
            ("1234567e8", "number 123456700000000"),
            (".5", "number 0.5"),
            ("5.", "number 5"),
            (".", "text ."),
            ("-", "text -"),
            ("0a1b2c3", "text 0a1b2c3"),
            ("2026-11-21", "text 2026-11-21"),
            ("10.0.0.1", "text 10.0.0.1"),
            ("18446744073709551615", "number 18446744073709551615"),
            ("18446744073709551616", "number 1.8446744073709552e+19"),
            ("-9223372036854775808", "number -9223372036854775808"),
            ("12:30:45", "text 12:30:45"),
            ("-.inf", "must not hold -.inf: JSON has no such number"),
        ] {
            assert_eq!(said(word), expected, "{word}");
        }
    }
}
