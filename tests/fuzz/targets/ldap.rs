//! Any bytes from an LDAP server: messages, entries and controls; any text as a name. The connector's own files are read here, since they are nobody else's.
#![no_main]
#![allow(dead_code, reason = "what reads is tried, what writes is there")]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[path = "../../../operator/connectors/src/ldap/wire/ber.rs"]
mod ber;
#[path = "../../../operator/connectors/src/ldap/wire/dn.rs"]
mod dn;
#[path = "../../../operator/connectors/src/ldap/wire/entry.rs"]
mod entry;
#[path = "../../../operator/connectors/src/ldap/wire/filter.rs"]
mod filter;
#[path = "../../../operator/connectors/src/ldap/wire/message.rs"]
mod message;
#[path = "../../../operator/connectors/src/ldap/wire/value.rs"]
mod value;

use entry::Entry;
use filter::Filter;

/// The controls that answers are looked through for.
const PAGED: &str = "1.2.840.113556.1.4.319";
const POST_READ: &str = "1.3.6.1.1.13.2";

/// The whole messages that these bytes begin with.
fn messages(mut bytes: &[u8]) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while let Ok(Some(length)) = ber::message(bytes) {
        let (message, rest) = bytes.split_at(length);
        assert!(!message.is_empty(), "a message is nothing");
        let _ = message::head(message);
        messages.push(Bytes::copy_from_slice(message));
        bytes = rest;
    }
    messages
}

fn looked_at(entry: &Entry) {
    for attribute in ["member", "uid", "objectGUID", "a"] {
        let value = value::from_wire(entry, attribute);
        assert_eq!(value.is_empty(), entry.values(attribute).iter().all(Vec::is_empty), "a value is lost");
        assert!(!entry.is_cut(attribute) || entry.range(attribute).is_some());
    }
    let _ = (value::mark(entry, "description"), dn::normal(&entry.dn));
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
    if let Some(answer) = message::Answer::read(&messages(bytes)) {
        answer.entries.iter().for_each(looked_at);
        let controls = &answer.ended.controls;
        entry::post_read(controls).iter().for_each(looked_at);
        let _ = entry::cookie(controls);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        named(text);
    }
});
