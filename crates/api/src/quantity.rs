//! Quantities such as `500m` and `128Mi`, exact to a billionth, printed canonically.
//!
//! The grammar and the canonical form are those of
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.

use std::fmt;

const NANOS: i128 = 1_000_000_000;

/// Twice Kubernetes' own limit of 2^63. Sums of these stay far within 128 bits.
const MAX_NANOS: i128 = (1 << 64) * NANOS;

/// More digits than this are above the limit or finer than a billionth of it.
const MAX_DIGITS: usize = 30;

/// An amount and the family of suffixes it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Decimal,
    Binary,
    Exponent,
}

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no quantity: write a number with an optional suffix, such as 500m, 2, 128Mi or 1Gi")]
pub struct QuantityError {
    text: String,
}

/// Reads a quantity.
///
/// # Errors
/// [`QuantityError`].
pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
    Quantity::parse(text)
}

impl Quantity {
    /// Reads a quantity. Digits beyond a billionth are rounded up.
    ///
    /// # Errors
    /// [`QuantityError`].
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        parse_parts(text).ok_or_else(|| QuantityError { text: text.to_owned() })
    }

    /// A whole number, with a suffix of the powers of 1000 when printed.
    #[must_use]
    pub fn from_value(value: i64) -> Self {
        Self { nanos: i128::from(value) * NANOS, format: Format::Decimal }
    }

    /// Bytes, with a suffix of the powers of 1024 when printed.
    #[must_use]
    pub fn from_bytes(bytes: i64) -> Self {
        Self { nanos: i128::from(bytes) * NANOS, format: Format::Binary }
    }

    /// Thousandths.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self { nanos: i128::from(millis) * (NANOS / 1000), format: Format::Decimal }
    }

    /// In thousandths, rounded up.
    #[must_use]
    pub fn millis(&self) -> i128 {
        div_up(self.nanos, NANOS / 1000)
    }

    /// In whole units, rounded up.
    #[must_use]
    pub fn value(&self) -> i128 {
        div_up(self.nanos, NANOS)
    }

    /// Below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    /// Zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }
}

impl std::ops::Add for Quantity {
    type Output = Self;

    /// Printed like the first of them that is not zero.
    fn add(self, more: Self) -> Self {
        let format = if self.is_zero() { more.format } else { self.format };
        Self { nanos: self.nanos + more.nanos, format }
    }
}

impl std::ops::Sub for Quantity {
    type Output = Self;

    /// Printed like the first.
    fn sub(self, less: Self) -> Self {
        Self { nanos: self.nanos - less.nanos, format: self.format }
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.nanos.cmp(&other.nanos))
    }
}

fn div_up(value: i128, by: i128) -> i128 {
    value.div_euclid(by) + i128::from(value.rem_euclid(by) != 0)
}

fn parse_parts(text: &str) -> Option<Quantity> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let digits_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(digits_end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let (format, multiplier, divisor) = scale(suffix)?;
    let magnitude = to_nanos(whole, fraction, multiplier, divisor).filter(|nanos| *nanos <= MAX_NANOS)?;
    let nanos = if negative { -magnitude } else { magnitude };
    Some(Quantity { nanos, format })
}

fn to_nanos(whole: &str, fraction: &str, multiplier: i128, divisor: i128) -> Option<i128> {
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{}{fraction}", whole.trim_start_matches('0'));
    if digits.len() > MAX_DIGITS {
        return None;
    }
    let mantissa: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let below = 10_i128.pow(u32::try_from(fraction.len()).ok()?).checked_mul(divisor)?;
    let scaled = mantissa.checked_mul(multiplier)?;
    // Whole part first, so that large binary suffixes stay within 128 bits.
    let whole_nanos = (scaled / below).checked_mul(NANOS)?;
    whole_nanos.checked_add(div_up((scaled % below).checked_mul(NANOS)?, below))
}

/// Multiplier and divisor of a suffix.
fn scale(suffix: &str) -> Option<(Format, i128, i128)> {
    let decimal = |multiplier, divisor| Some((Format::Decimal, multiplier, divisor));
    match suffix {
        "" => decimal(1, 1),
        "n" => decimal(1, NANOS),
        "u" => decimal(1, 1_000_000),
        "m" => decimal(1, 1_000),
        "k" => decimal(1_000, 1),
        "M" => decimal(1_000_000, 1),
        "G" => decimal(NANOS, 1),
        "T" => decimal(1_000 * NANOS, 1),
        "P" => decimal(1_000_000 * NANOS, 1),
        "E" => decimal(NANOS * NANOS, 1),
        _ => binary(suffix).or_else(|| exponent(suffix)),
    }
}

fn binary(suffix: &str) -> Option<(Format, i128, i128)> {
    let power = BINARY.iter().position(|known| *known == suffix)?;
    Some((Format::Binary, 1 << (10 * (power + 1)), 1))
}

fn exponent(suffix: &str) -> Option<(Format, i128, i128)> {
    let digits = suffix.strip_prefix(['e', 'E'])?;
    let power: i32 = digits.parse().ok()?;
    let size = 10_i128.checked_pow(power.unsigned_abs()).filter(|_| power.abs() <= 18)?;
    Some(if power < 0 { (Format::Exponent, 1, size) } else { (Format::Exponent, size, 1) })
}

const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// From a billionth upward, in steps of a thousand.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        // A binary quantity that has a fraction or is below a kibibyte is written in decimal.
        let whole = self.nanos % NANOS == 0;
        if self.format == Format::Binary && whole && (self.nanos / NANOS).abs() >= 1024 {
            let (value, power) = reduce(self.nanos / NANOS, 1024, BINARY.len());
            return write!(f, "{value}{}", if power == 0 { "" } else { BINARY[power - 1] });
        }
        let (value, power) = reduce(self.nanos, 1000, DECIMAL.len() - 1);
        match (self.format, i32::try_from(power).unwrap_or_default() * 3 - 9) {
            (Format::Exponent, 0) => write!(f, "{value}"),
            (Format::Exponent, exponent) => write!(f, "{value}e{exponent}"),
            _ => write!(f, "{value}{}", DECIMAL[power]),
        }
    }
}

/// Divides by `base` as often as nothing is lost.
fn reduce(mut value: i128, base: i128, most: usize) -> (i128, usize) {
    let mut power = 0;
    while power < most && value % base == 0 {
        value /= base;
        power += 1;
    }
    (value, power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_round_up() {
        let cases = [
            ("500m", 500, 1),
            ("2", 2000, 2),
            ("0.1", 100, 1),
            ("128Mi", 134_217_728_000, 134_217_728),
            ("1.5Gi", 1_610_612_736_000, 1_610_612_736),
            ("1e3", 1_000_000, 1000),
            ("5E-1", 500, 1),
            ("100n", 1, 1),
            ("-1500m", -1500, -1),
            (".5", 500, 1),
            ("8Ei", 9_223_372_036_854_775_808_000, 9_223_372_036_854_775_808),
        ];
        for (text, millis, value) in cases {
            let quantity = parse(text).expect(text);
            assert_eq!((quantity.millis(), quantity.value()), (millis, value), "{text}");
        }
    }

    #[test]
    fn the_canonical_form_is_that_of_kubernetes() {
        let cases = [
            ("1.5", "1500m"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("1000m", "1"),
            ("0.5", "500m"),
            ("100000", "100k"),
            ("1024", "1024"),
            ("0Mi", "0"),
            ("512", "512"),
            ("1e3", "1e3"),
            ("0.5Mi", "512Ki"),
            ("-0.001", "-1m"),
            ("12E", "12E"),
        ];
        for (text, canonical) in cases {
            assert_eq!(parse(text).expect(text).to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "-",
            "Mi",
            "1.2.3",
            "1 Mi",
            "1mi",
            "1KiB",
            "a",
            "1e",
            "1e99",
            "9999999999999999999999999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn canonical_text_reads_back_as_the_same_amount(
            whole in 0_i64..100_000_000, fraction in 0_u32..1000, suffix in prop::sample::select(vec!["", "m", "k", "M", "Ki", "Mi", "Gi", "e3"]),
        ) {
            let quantity = parse(&format!("{whole}.{fraction}{suffix}")).expect("a quantity");
            let again = parse(&quantity.to_string()).expect("a canonical quantity");
            prop_assert_eq!(quantity.nanos, again.nanos);
            prop_assert_eq!(quantity.to_string(), again.to_string());
        }

        #[test]
        fn no_text_panics(text in "[-+]?[0-9.]{0,30}[a-zA-Z]{0,3}[-0-9]{0,12}") {
            let _ = parse(&text);
        }
    }
}
