//! Timestamps and durations. There is no clock: times come from the manifest or from constants.

use jiff::civil::Weekday;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::call;
use super::eval::{Outcome, fail};
use super::functions::Function;
use super::node::{Binary, Node};
use super::value::Val;

/// The year 1, in seconds since 1970. At the other end the range is jiff's own: to 9999-12-30T22:00:00Z.
const FIRST: i64 = -62_135_596_800;

fn timestamp(node: &Node, at: Option<Timestamp>) -> Outcome<Val<'static>> {
    match at {
        Some(at) if at.as_nanosecond() >= i128::from(FIRST) * 1_000_000_000 => Ok(Val::Timestamp(at)),
        _ => fail(node, "the result is outside the years 1 to 9999"),
    }
}

pub(super) fn arithmetic<'a>(node: &Node, op: Binary, a: &Val<'a>, b: &Val<'a>) -> Outcome<Val<'a>> {
    match (op, a, b) {
        (Binary::Add, Val::Timestamp(t), Val::Duration(d)) | (Binary::Add, Val::Duration(d), Val::Timestamp(t)) => {
            timestamp(node, t.checked_add(*d).ok())
        }
        (Binary::Sub, Val::Timestamp(t), Val::Duration(d)) => timestamp(node, t.checked_sub(*d).ok()),
        (Binary::Sub, Val::Timestamp(a), Val::Timestamp(b)) => {
            call::duration(node, a.as_duration().checked_sub(b.as_duration()))
        }
        (Binary::Add, Val::Duration(a), Val::Duration(b)) => call::duration(node, a.checked_add(*b)),
        (Binary::Sub, Val::Duration(a), Val::Duration(b)) => call::duration(node, a.checked_sub(*b)),
        (_, a, b) => fail(node, format!("{} and {} cannot be combined so", a.type_name(), b.type_name())),
    }
}

/// `timestamp(x)` and `duration(x)`.
pub(super) fn convert<'a>(node: &Node, function: Function, args: &[Val<'a>]) -> Outcome<Val<'a>> {
    match (function, args) {
        (Function::ToTimestamp, [Val::Timestamp(t)]) => Ok(Val::Timestamp(*t)),
        (Function::ToTimestamp, [Val::Int(seconds)]) => timestamp(node, Timestamp::from_second(*seconds).ok()),
        (Function::ToTimestamp, [Val::Text(text)]) => match parse_timestamp(text.as_str()) {
            Some(at) => timestamp(node, Some(at)),
            None => fail(node, format!("{} is no RFC 3339 timestamp", call::show(&Val::text(text.as_str())))),
        },
        (Function::ToDuration, [Val::Duration(d)]) => Ok(Val::Duration(*d)),
        (Function::ToDuration, [Val::Text(text)]) => match parse_duration(text.as_str()) {
            Some(span) => call::duration(node, Some(span)),
            None => fail(node, format!("{} is no duration like '1h30m'", call::show(&Val::text(text.as_str())))),
        },
        _ => fail(node, "found no text to convert"),
    }
}

/// RFC 3339, with nothing of what else jiff reads (RFC 9557, spaces, hours alone).
pub(super) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let plain = bytes.get(10) == Some(&b'T') && !text.contains(['[', ' ', ',']) && bytes.get(13) == Some(&b':');
    let zone =
        text.ends_with('Z') || text.get(19..).is_some_and(|rest| rest.contains(['+', '-']) && rest.contains(':'));
    (plain && zone && bytes.get(16) == Some(&b':')).then(|| text.parse().ok()).flatten()
}

/// Go's notation, which CEL uses: numbers with units, `h m s ms us ns`, one sign in front.
pub(super) fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut nanos = 0_i128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let length = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = (rest.get(..length)?, rest.get(length..)?);
        let length = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let unit: i128 = match after.get(..length)? {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && part.is_empty() || part.len() > 18 || whole.len() > 15 || part.contains('.') {
            return None;
        }
        let scale = 10_i128.pow(u32::try_from(part.len()).ok()?);
        let digits: i128 = format!("{whole}{part}").parse().ok()?;
        nanos += digits * unit / scale;
        rest = after.get(length..)?;
    }
    let nanos = if negative { -nanos } else { nanos };
    let seconds = i64::try_from(nanos / 1_000_000_000).ok()?;
    Some(SignedDuration::new(seconds, i32::try_from(nanos % 1_000_000_000).ok()?))
}

/// In seconds: `5400s`, `0.5s`.
pub(super) fn duration_text(span: &SignedDuration) -> String {
    let nanos = span.as_nanos();
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (seconds, part) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    if part == 0 {
        return format!("{sign}{seconds}s");
    }
    format!("{sign}{seconds}.{}s", format!("{part:09}").trim_end_matches('0'))
}

/// The offset that a rule may name: `UTC`, `+02:00`, `-08:00`. Named zones change with their database and are left out.
pub(super) fn offset(text: &str) -> Option<Offset> {
    if matches!(text, "UTC" | "Z" | "Etc/UTC") {
        return Some(Offset::UTC);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60).then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()).flatten()
}

/// `t.getHours()` and its like, in UTC or at an offset.
pub(super) fn of_timestamp<'a>(
    node: &Node,
    function: Function,
    at: Timestamp,
    zone: Option<&Val<'_>>,
) -> Outcome<Val<'a>> {
    let zone = match zone {
        None => Some(Offset::UTC),
        Some(Val::Text(text)) => offset(text.as_str()),
        Some(_) => None,
    };
    let Some(zone) = zone else {
        return fail(node, "the time zone is no offset like '+02:00'; named zones are left out");
    };
    let time: Zoned = at.to_zoned(TimeZone::fixed(zone));
    Ok(Val::Int(match function {
        Function::Year => i64::from(time.year()),
        Function::Month => i64::from(time.month()) - 1,
        Function::DayOfMonth => i64::from(time.day()) - 1,
        Function::Date => i64::from(time.day()),
        Function::DayOfWeek => i64::from(Weekday::to_sunday_zero_offset(time.weekday())),
        Function::DayOfYear => i64::from(time.day_of_year()) - 1,
        Function::Hours => i64::from(time.hour()),
        Function::Minutes => i64::from(time.minute()),
        Function::Seconds => i64::from(time.second()),
        Function::Milliseconds => i64::from(time.millisecond()),
        _ => return fail(node, "found a timestamp where another value is expected"),
    }))
}

/// `d.getHours()`, `getMinutes()`, `getSeconds()` in all; `getMilliseconds()` is the part below a second.
pub(super) fn of_duration<'a>(node: &Node, function: Function, span: SignedDuration) -> Outcome<Val<'a>> {
    Ok(Val::Int(match function {
        Function::Hours => span.as_hours(),
        Function::Minutes => span.as_mins(),
        Function::Seconds => span.as_secs(),
        Function::Milliseconds => i64::from(span.subsec_millis()),
        _ => return fail(node, "found a duration where another value is expected"),
    }))
}
