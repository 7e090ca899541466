//! Pure: model to Active Directory and back.

use std::collections::BTreeSet;

use provost_core::model::{AttributeName, Attributes, TargetError, TargetId, Value};

use super::schema::{CONTROL, EXPIRES, LOGIN, MARK, PARENT, PROTECTION, SCHEMA};
use super::settings::Settings;
use crate::ldap::wire::value::{from_wire, mark, to_wire};
use crate::ldap::wire::{Entry, dn, values};

/// What tells of an account whether it can be used, and whether it may be written to.
pub(super) const ASKED: [&str; 3] = [CONTROL, "adminCount", "isCriticalSystemObject"];

/// An ordinary account (MS-ADTS 2.2.16), and the bit that disables it.
pub(super) const NORMAL: u32 = 512;
pub(super) const DISABLED: u32 = 2;

/// An account that never ends.
const NEVER: &str = "9223372036854775807";
/// Seconds from the beginning of FILETIME, 1601, to that of Unix.
const SINCE_1601: i64 = 11_644_473_600;
/// Parts of a second in a FILETIME.
const PARTS: i64 = 10_000_000;

/// Of a login name (MS-SAMR 3.1.1.6).
const LONGEST: usize = 20;
const FORBIDDEN: &str = "\"/\\[]:|<>+=;?,*";

/// A name with what it never loses (extended DN, MS-ADTS 3.1.1.3.4.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) guid: &'a str,
    pub(super) sid: Option<&'a str>,
    pub(super) dn: &'a str,
}

/// `<GUID=...>;<SID=...>;CN=...`, the SID where it has one.
pub(super) fn named(text: &str) -> Option<Named<'_>> {
    let (guid, rest) = text.strip_prefix("<GUID=")?.split_once(">;")?;
    let (sid, dn) = match rest.strip_prefix("<SID=").and_then(|rest| rest.split_once(">;")) {
        Some((sid, dn)) => (Some(sid), dn),
        None => (None, rest),
    };
    is_guid(guid).then_some(Named { guid, sid, dn })
}

fn is_guid(text: &str) -> bool {
    let bars = [8, 13, 18, 23];
    let right = |(at, byte): (usize, u8)| if bars.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(right)
}

/// The name by which an entry is found wherever it is. `None`: nothing has such an id.
pub(super) fn by_guid(id: &TargetId) -> Option<String> {
    is_guid(id.as_str()).then(|| format!("<GUID={id}>"))
}

/// The id of an entry or of what a value names.
pub(super) fn id(text: &str) -> Option<TargetId> {
    named(text).map(|named| TargetId::new(named.guid.to_ascii_lowercase()))
}

/// Why the domain itself protects an entry: it is or was in a group of administrators, or is one that every domain has.
pub(super) fn protection(entry: &Entry) -> Option<&'static str> {
    if entry.text("adminCount").is_some_and(|count| count != "0") {
        return Some("adminCount");
    }
    let critical = entry.text("isCriticalSystemObject").is_some_and(|is| is.eq_ignore_ascii_case("TRUE"));
    let sid = named(&entry.dn).and_then(|named| named.sid).unwrap_or_default();
    // Ids below 1000 are given to what every domain has: Administrator, krbtgt, Domain Admins (MS-DTYP 2.4.2.4).
    let reserved =
        |sid: &str| sid.rsplit_once('-').and_then(|(_, rid)| rid.parse::<u32>().ok()).is_some_and(|rid| rid < 1000);
    (critical || (!sid.is_empty() && !sid.starts_with("S-1-5-21-")) || reserved(sid)).then_some("wellKnown")
}

/// The switches of an account.
pub(super) fn control(entry: &Entry) -> Option<u32> {
    entry.text(CONTROL)?.parse::<i64>().ok().and_then(|bits| u32::try_from(bits & i64::from(u32::MAX)).ok())
}

/// Everything that is asked for, by the names of the mapping. `parent`: the place as it was last told.
pub(super) fn attributes(settings: &Settings, entry: &Entry, told: Option<&str>) -> Attributes {
    let mut found = Attributes::new();
    for name in &settings.shown {
        let value = match name.as_str() {
            PARENT => parent(settings, entry, told).map_or(Value::Null, |parent| Value::from(parent.as_str())),
            PROTECTION => protection(entry).map_or(Value::Null, Value::from),
            MARK => settings.mark.as_deref().and_then(|at| mark(entry, at)).map_or(Value::Null, Value::from),
            EXPIRES => {
                entry.text(EXPIRES).and_then(ends).map_or(Value::Null, |at| Value::from(at.to_string().as_str()))
            }
            at if SCHEMA.references.contains(&at) => {
                entry.text(at).and_then(id).map_or(Value::Null, |id| Value::from(id.as_str()))
            }
            at => plain(from_wire(entry, at)),
        };
        if !value.is_empty() {
            found.insert(name.clone(), value);
        }
    }
    found
}

/// A value that names an entry, without what the extended DN puts before its name.
fn plain(value: Value) -> Value {
    match value {
        Value::Text(text) => Value::from(named(&text).map_or(&*text, |named| named.dn)),
        Value::List(list) => {
            let mut list: Vec<Value> = list.into_iter().map(plain).collect();
            list.sort();
            Value::List(list)
        }
        other => other,
    }
}

/// The place of an account: as it was told, where that says the same or where the account is put aside.
fn parent(settings: &Settings, entry: &Entry, told: Option<&str>) -> Option<String> {
    let name = named(&entry.dn)?.dn;
    let (_, parent) = dn::split(name)?;
    match told {
        Some(told) if settings.is_put_aside(name) || dn::normal(told) == dn::normal(&parent) => Some(told.to_owned()),
        None if settings.is_put_aside(name) => None,
        _ => Some(parent),
    }
}

/// The values of an attribute on the wire; none clear it.
pub(super) fn wire_values(name: &AttributeName, value: &Value) -> Result<BTreeSet<Vec<u8>>, TargetError> {
    let text = value.as_text().unwrap_or_default();
    match name.as_str() {
        EXPIRES if value.is_empty() => Ok(values([NEVER])),
        EXPIRES => expires(text)
            .map(|at| values([at]))
            .ok_or_else(|| rejected(name, "it must be a time, as string(...) makes one")),
        reference if SCHEMA.references.contains(&reference) && !value.is_empty() => {
            let known = by_guid(&TargetId::new(text));
            known.map(|known| values([known])).ok_or_else(|| rejected(name, "it names no account of this domain"))
        }
        LOGIN => login(text).map(|()| values([text])).map_err(|reason| rejected(name, &reason)),
        _ => to_wire(name, value),
    }
}

fn expires(text: &str) -> Option<String> {
    let at: jiff::Timestamp = text.parse().ok()?;
    let whole = at.as_second().checked_add(SINCE_1601)?.checked_mul(PARTS)?;
    Some(whole.checked_add(i64::from(at.subsec_nanosecond()) / 100)?.to_string())
}

fn ends(text: &str) -> Option<jiff::Timestamp> {
    let time: i64 = text.parse().ok().filter(|time| *time > 0)?;
    let (seconds, parts) = (time / PARTS, i32::try_from(time % PARTS).ok()?);
    // What lies beyond the calendar never comes.
    jiff::Timestamp::new(seconds - SINCE_1601, parts * 100).ok()
}

/// Whether a login name can be one.
fn login(name: &str) -> Result<(), String> {
    let blank = |c: char| c == ' ' || c == '.';
    let forbidden = |c: char| FORBIDDEN.contains(c) || c.is_control();
    if name.chars().count() > LONGEST {
        return Err(format!("a login name has at most {LONGEST} characters; map {LOGIN} to a shorter value"));
    }
    if name.contains(forbidden) || name.ends_with('.') || name.chars().all(blank) {
        let text =
            format!("a login name has none of {FORBIDDEN} and no full stop at its end; map {LOGIN} to another value");
        return Err(text);
    }
    Ok(())
}

/// A group's name for older programs, which may not have every character.
pub(super) fn group_login(name: &str) -> String {
    let plain = |c: char| if FORBIDDEN.contains(c) || c.is_control() { '_' } else { c };
    name.chars().map(plain).take(256).collect::<String>().trim_end_matches('.').to_owned()
}

/// A password as `unicodePwd` takes it (MS-ADTS 3.1.1.3.1.5).
pub(super) fn password(plain: &str) -> Vec<u8> {
    format!("\"{plain}\"").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub(super) fn rejected(name: &AttributeName, reason: &str) -> TargetError {
    TargetError::Rejected { field: Some(name.clone()), reason: reason.into(), detail: "".into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::settings::tests::settings;
    use super::*;

    const GUID: &str = "e2018052-7078-4449-9c68-0d5027ae3d79";

    fn entry(rid: u32, place: &str, more: &[(&str, &[&str])]) -> Entry {
        Entry::with(&format!("<GUID={GUID}>;<SID=S-1-5-21-1-2-3-{rid}>;CN=a,OU={place},DC=acme,DC=test"), more)
    }

    #[test]
    fn a_name_comes_with_what_it_never_loses() {
        let text = format!("<GUID={GUID}>;<SID=S-1-5-21-1-2-3-1102>;CN=a\\, b,DC=x");
        assert_eq!(named(&text), Some(Named { guid: GUID, sid: Some("S-1-5-21-1-2-3-1102"), dn: "CN=a\\, b,DC=x" }));
        assert_eq!(named(&format!("<GUID={GUID}>;OU=a,DC=x")).unwrap().sid, None);
        assert_eq!(named("CN=a,DC=x").or_else(|| named("<GUID=1>;CN=a")), None);
        assert_eq!(by_guid(&TargetId::new(GUID)), Some(format!("<GUID={GUID}>")));
        assert_eq!(by_guid(&TargetId::new(")(cn=*")), None);
    }

    #[test]
    fn what_every_domain_has_and_who_administers_it_is_protected() {
        for (entry, expected) in [
            (entry(1102, "People", &[]), None),
            (entry(1102, "People", &[("adminCount", &["0"])]), None),
            (entry(1102, "People", &[("adminCount", &["1"])]), Some("adminCount")),
            (entry(500, "People", &[]), Some("wellKnown")),
            (entry(502, "People", &[]), Some("wellKnown")),
            (entry(512, "Groups", &[]), Some("wellKnown")),
            (entry(1000, "People", &[("isCriticalSystemObject", &["TRUE"])]), Some("wellKnown")),
            (Entry::with(&format!("<GUID={GUID}>;<SID=S-1-5-32-544>;CN=a"), &[]), Some("wellKnown")),
        ] {
            assert_eq!(protection(&entry), expected, "{entry:?}");
        }
    }

    #[test]
    fn a_login_name_is_short_and_plain() {
        for name in ["ada", "Zoë", "two words", "a'b", "ada@acme.test", &"x".repeat(20)] {
            assert_eq!(login(name), Ok(()), "{name}");
        }
        for name in ["", " .", "a.", "a\"b", "a,b", "a\\b", "a\nb", &"x".repeat(21)] {
            assert!(login(name).is_err(), "{name:?}");
        }
        assert_eq!(group_login("R&D \"core\", 日本 🦀."), "R&D _core__ 日本 🦀");
    }

    #[test]
    fn an_end_is_a_time_and_no_end_is_never() {
        let name = AttributeName::from(EXPIRES);
        let wire = wire_values(&name, &"2027-11-30T17:00:00+01:00".into()).unwrap();
        assert_eq!(wire, values(["134720640000000000"]));
        assert_eq!(ends("134720640000000000").unwrap().to_string(), "2027-11-30T16:00:00Z");
        assert_eq!(wire_values(&name, &Value::Null).unwrap(), values([NEVER]));
        assert_eq!((ends(NEVER), ends("0"), ends("x")), (None, None, None));
        assert!(wire_values(&name, &"soon".into()).is_err());
    }

    #[test]
    fn a_value_that_names_an_entry_is_its_name() {
        let settings = settings(&json!({})).unwrap();
        let of = |values: &[&str]| {
            let shown = attributes(&settings, &entry(1102, "People", &[("proxyAddresses", values)]), None);
            shown.get("proxyAddresses").cloned()
        };
        let long = |dn: &str| format!("<GUID={GUID}>;<SID=S-1-5-21-1-2-3-1102>;{dn}");
        let (a, b) = ("CN=a,OU=People,DC=acme,DC=test", "CN=b,OU=People,DC=acme,DC=test");
        assert_eq!(of(&[&long(a)]), Some(a.into()));
        assert_eq!(of(&[&long(b), &format!("<GUID={GUID}>;{a}")]), Some(Value::List(vec![a.into(), b.into()])));
        assert_eq!(of(&["<GUID=none>;x"]), Some("<GUID=none>;x".into()));
    }

    #[test]
    fn a_place_is_shown_as_it_was_told() {
        let settings = settings(&json!({})).unwrap();
        let shown = |entry: &Entry, told| attributes(&settings, entry, told).get(PARENT).cloned();
        let people = entry(1102, "People", &[]);
        assert_eq!(shown(&people, None), Some("OU=People,DC=acme,DC=test".into()));
        assert_eq!(shown(&people, Some("ou=people, dc=acme, dc=test")), Some("ou=people, dc=acme, dc=test".into()));
        assert_eq!(shown(&people, Some("OU=Sales,DC=acme,DC=test")), Some("OU=People,DC=acme,DC=test".into()));
        let left = entry(1102, "Left", &[]);
        assert_eq!(shown(&left, Some("OU=Sales,DC=acme,DC=test")), Some("OU=Sales,DC=acme,DC=test".into()));
        assert_eq!(shown(&left, None), None);
    }

    #[test]
    fn switches_are_bits_and_a_password_is_quoted() {
        assert_eq!(control(&entry(1102, "People", &[(CONTROL, &["514"])])), Some(NORMAL | DISABLED));
        assert_eq!(control(&entry(1102, "People", &[(CONTROL, &["-2147483136"])])), Some(0x8000_0200));
        assert_eq!(password("aß"), [34, 0, 97, 0, 223, 0, 34, 0]);
    }
}
