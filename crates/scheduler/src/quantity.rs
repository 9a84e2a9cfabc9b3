//! Quantities such as `250m`, `1.5`, `64Mi` or `2e3`, as whole thousandths.

/// The amount in thousandths, rounded up; `None` for what is no quantity or too large.
pub(crate) fn millis(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (factor, divisor) = factor(unit)?;
    let divisor = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?.checked_mul(divisor)?;
    let scaled = digits.checked_mul(1000)?.checked_mul(factor)?;
    Some(scaled.div_euclid(divisor) + i128::from(scaled.rem_euclid(divisor) != 0))
}

/// What a unit multiplies with, and divides by.
fn factor(unit: &str) -> Option<(i128, i128)> {
    const DECIMAL: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    const SMALL: [&str; 4] = ["", "m", "u", "n"];
    let power = |base: i128, exponent: usize| base.checked_pow(u32::try_from(exponent).ok()?);
    if let Some(exponent) = SMALL.iter().position(|small| *small == unit) {
        return Some((1, power(1000, exponent)?));
    }
    if let Some(exponent) = DECIMAL.iter().position(|large| *large == unit) {
        return Some((power(1000, exponent)?, 1));
    }
    if let Some(binary) = unit.strip_suffix('i') {
        let exponent = DECIMAL.iter().position(|large| large.eq_ignore_ascii_case(binary))?;
        return Some((power(1024, exponent)?, 1));
    }
    let exponent: i32 = unit.strip_prefix(['e', 'E'])?.parse().ok()?;
    let factor = 10_i128.checked_pow(exponent.unsigned_abs())?;
    Some(if exponent < 0 { (1, factor) } else { (factor, 1) })
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        let good = ["250m", "1.5", "2", "64Mi", "1Ki", "3k", "2e3", "1E", "100u", "-1"].map(millis);
        let expected =
            [250, 1500, 2000, 67_108_864_000, 1_024_000, 3_000_000, 2_000_000, 10_i128.pow(21), 1, -1000];
        assert_eq!(good, expected.map(Some));
        assert_eq!(["", "x", "1x", "1..2", "1e999", "Mi"].map(millis), [None; 6]);
    }
}
