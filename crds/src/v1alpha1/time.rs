//! Points in time and spans of time, as written in a manifest.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point in time in RFC 3339, for example `2026-12-01T08:00:00Z`.
///
/// It is kept as written: a date that the schema of a later version would allow and this one cannot read must not make the
/// whole object unreadable. Whoever needs the time parses it and says what is wrong with it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(transparent)]
#[schemars(
    inline,
    extend("format" = "date-time"),
    extend("pattern" = r"^[0-9-]{10}T[0-9:]{8}(\.[0-9]{1,9})?(Z|[+-][0-9:]{5})$"),
    extend("x-kubernetes-validations" = [{
        "rule": "self >= timestamp('1900-01-01T00:00:00Z') && self < timestamp('9000-01-01T00:00:00Z')",
        "message": "must be between the years 1900 and 9000; for no limit you must leave it out"
    }])
)]
pub struct Time(#[schemars(length(max = 64))] pub String);

impl Time {
    /// The time as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<jiff::Timestamp> for Time {
    fn from(time: jiff::Timestamp) -> Self {
        Self(time.to_string())
    }
}

impl From<&str> for Time {
    fn from(time: &str) -> Self {
        Self(time.to_owned())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A span of time in hours, minutes and seconds, largest first: `168h`, `10m`, `1h30m`. Days are not a unit, since their
/// length depends on the calendar.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(transparent)]
#[schemars(
    inline,
    extend("x-kubernetes-validations" = [{
        "rule": "self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && size(self) > 0",
        "messageExpression": "'must be hours, minutes and seconds, largest first and at most 999999 of each, as in 168h, 10m or 1h30m (7 days is 168h); found \"' + self + '\"'",
        "message": "must be hours, minutes and seconds, largest first and at most 999999 of each, as in 168h, 10m or 1h30m (7 days is 168h)"
    }])
)]
pub struct Duration(#[schemars(length(min = 1, max = 32))] pub String);

/// What is wrong with a [`Duration`] that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDuration;

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "must be hours, minutes and seconds, largest first and at most 999999 of each, as in 168h, 10m or 1h30m \
             (7 days is 168h)",
        )
    }
}

impl std::error::Error for InvalidDuration {}

impl Duration {
    /// The span as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The span of time, by the same rule as the schema's: at most six digits for each unit, each unit at most once.
    pub fn parse(&self) -> Result<std::time::Duration, InvalidDuration> {
        let mut rest = self.0.as_str();
        let mut seconds = 0_u64;
        if rest.is_empty() {
            return Err(InvalidDuration);
        }
        for (unit, length) in [('h', 3600), ('m', 60), ('s', 1)] {
            let Some((digits, after)) = rest.split_once(unit) else {
                continue;
            };
            if !(1..=6).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(InvalidDuration);
            }
            let count: u64 = digits.parse().map_err(|_| InvalidDuration)?;
            seconds += count * length;
            rest = after;
        }
        if rest.is_empty() { Ok(std::time::Duration::from_secs(seconds)) } else { Err(InvalidDuration) }
    }
}

impl From<&str> for Duration {
    fn from(span: &str) -> Self {
        Self(span.to_owned())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_minutes_and_seconds_largest_first_are_read() {
        for (text, seconds) in [
            ("168h", 604_800),
            ("10m", 600),
            ("1h30m", 5_400),
            ("1h0m1s", 3_601),
            ("0s", 0),
            ("999999h999999m999999s", 999_999 * 3_661),
        ] {
            assert_eq!(Duration::from(text).parse(), Ok(std::time::Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", "h", "1d", "30m1h", "1h1h", "1.5h", "-1h", "+1h", " 1h", "1h ", "1H", "1000000s", "10", "1s1", "١h",
            "1ms",
        ] {
            assert_eq!(Duration::from(text).parse(), Err(InvalidDuration), "{text}");
        }
    }
}
