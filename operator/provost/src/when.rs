//! Times as people write them: a date, a time, or how long ago or ahead.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// A time that is mostly past: a span of time is how long ago.
pub fn past(text: &str) -> Result<Timestamp, String> {
    read(text, |ago| Timestamp::now().checked_sub(ago).ok()).ok_or_else(|| {
        "write how long ago, as in 10m, 36h or 7d, or a date (UTC) or time, as in \
             2026-11-01 or 2026-11-01T08:00:00Z"
            .to_owned()
    })
}

/// A time that is mostly to come: a span of time is how far ahead.
pub fn ahead(text: &str) -> Result<Timestamp, String> {
    read(text, |ahead| Timestamp::now().checked_add(ahead).ok()).ok_or_else(|| {
        "write a date (UTC) or time, as in 2026-12-01 or 2026-12-01T08:00:00Z, or how far ahead, as in 36h or 7d"
            .to_owned()
    })
}

fn read(text: &str, from_now: impl Fn(SignedDuration) -> Option<Timestamp>) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    // Strict: what a date's parser also takes (a time without a zone) would be read in another zone than was meant.
    if text.len() == 10
        && let Ok(date) = text.parse::<Date>()
    {
        return date.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp());
    }
    if !text.starts_with(|first: char| first.is_ascii_digit()) || text.ends_with("ago") {
        return None;
    }
    let span: Span = text.parse().ok()?;
    from_now(span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_spans_are_read_as_people_write_them() {
        let second = |text: &str| past(text).unwrap().as_second();
        assert_eq!(second("2026-11-01"), "2026-11-01T00:00:00Z".parse::<Timestamp>().unwrap().as_second());
        assert_eq!(second("2026-11-01T09:00:00+01:00"), second("2026-11-01T08:00:00Z"));
        for (text, seconds) in [
            ("90s", 90),
            ("10m", 600),
            ("1h30m", 5400),
            ("36h", 129_600),
            ("7d", 604_800),
            ("2w", 1_209_600),
            ("2 days", 172_800),
        ] {
            let (before, after) = (Timestamp::now(), |at: Timestamp| at.duration_since(Timestamp::now()).as_secs());
            let (ago, then) = (past(text).unwrap(), ahead(text).unwrap());
            assert!((before.duration_since(ago).as_secs() - seconds).abs() <= 5, "{text}: {ago}");
            assert!((after(then) - seconds).abs() <= 5, "{text}: {then}");
        }
    }

    #[test]
    fn what_is_no_time_is_answered_with_examples_and_never_guessed() {
        for text in [
            "",
            "yesterday",
            "10",
            "7",
            "-7d",
            "7d ago",
            "1mo",
            "2026-13-01",
            "01.11.2026",
            "2026-11-01T08:00",
            "99999999999d",
            "P7D",
        ] {
            assert!(past(text).unwrap_err().contains("as in 10m, 36h or 7d"), "{text}");
            assert!(ahead(text).unwrap_err().contains("as in 2026-12-01"), "{text}");
        }
    }
}
