//! Durations as Go spells them: `90s`, `10m`, `1h30m`. A bare number is seconds.

use std::time::Duration;

/// Reads one.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: write it as 30s, 10m or 1h30m");
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let after = &rest[digits..];
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let unit_ms = match &after[..letters] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        total = number.checked_mul(unit_ms).and_then(|ms| total.checked_add(ms)).ok_or_else(wrong)?;
        rest = &after[letters..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_millis(total)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_spells_them() {
        for (text, ms) in [("5", 5000), ("90s", 90_000), ("1h30m", 5_400_000), ("250ms", 250)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)));
        }
        for text in ["", "soon", "1w", "m", "-1s", "99999999999999999d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
