//! Any bytes from an LDAP server: what the gate lets through is taken apart by the library and read as an entry; any text as
//! a name. The connector's own files are read here, since they are nobody else's.
#![no_main]
#![allow(dead_code, reason = "what reads is tried, what writes is there")]

use ldap3::asn1::parse_tag;
use libfuzzer_sys::fuzz_target;

#[path = "../../../operator/connectors/src/ldap/wire/dn.rs"]
mod dn;
#[path = "../../../operator/connectors/src/ldap/wire/entry.rs"]
mod entry;
#[path = "../../../operator/connectors/src/ldap/wire/gate.rs"]
mod gate;
#[path = "../../../operator/connectors/src/ldap/wire/value.rs"]
mod value;

use entry::Entry;

/// The control by which pages are asked for.
const PAGED: &str = "1.2.840.113556.1.4.319";

/// What a message holds, level by level, as the library has it.
fn taken_apart(message: &[u8]) -> Option<&[u8]> {
    let (after, tag) = parse_tag(message).ok()?;
    assert!(after.len() < message.len(), "a message is nothing");
    let parts = tag.expect_constructed().into_iter().flatten();
    for entry in parts.filter_map(Entry::parse) {
        for attribute in ["member", "uid", "objectGUID", "a"] {
            let value = value::from_wire(&entry, attribute);
            assert_eq!(value.is_empty(), entry.values(attribute).iter().all(Vec::is_empty), "a value is lost");
            assert!(!entry.is_cut(attribute) || entry.range(attribute).is_some());
        }
        let _ = (value::mark(&entry, "description"), dn::normal(&entry.dn));
    }
    Some(after)
}

fn named(text: &str) {
    let normal = dn::normal(text);
    assert_eq!(dn::normal(&normal), normal, "the normal form has another one");
    assert!(dn::is_within(&normal, &normal));
    if let Some((own, above)) = dn::split(text) {
        assert_eq!(dn::normal(&dn::below(&own, &above)), normal, "split and joined it is another name");
        let value = dn::rdn("cn", text);
        assert_eq!(dn::parse(&value).as_deref(), Some(&[vec![("cn".to_owned(), text.to_owned())]][..]));
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(whole) = gate::whole(bytes) {
        let mut rest = bytes.get(..whole);
        while let Some(messages) = rest.filter(|messages| !messages.is_empty()) {
            rest = taken_apart(messages);
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        named(text);
    }
});
