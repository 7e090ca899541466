//! Entries as they come: values are bytes, and nothing that a server sends is taken for granted.

use std::collections::HashMap;

use super::ber::{INTEGER, OCTETS, Reading, SEQUENCE, SET};
use super::message::Control;

/// An entry of a search, or of a control that shows one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    /// By name in lower case.
    attributes: HashMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// The content of a SearchResultEntry (RFC 4511, 4.5.2). `None`: it is none.
    pub(crate) fn parse(content: &[u8]) -> Option<Self> {
        let mut parts = Reading(content);
        let dn = String::from_utf8(parts.take(OCTETS)?.to_vec()).ok()?;
        let mut attributes: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
        let mut all = parts.within(SEQUENCE)?;
        while !all.is_empty() {
            let mut attribute = all.within(SEQUENCE)?;
            let name = std::str::from_utf8(attribute.take(OCTETS)?).ok()?.to_lowercase();
            // How a value is transferred is no part of its name (RFC 4522); other options make another attribute.
            let name = name.strip_suffix(";binary").unwrap_or(&name).to_owned();
            let mut values = attribute.within(SET)?;
            let known = attributes.entry(name).or_default();
            while !values.is_empty() {
                known.push(values.take(OCTETS)?.to_vec());
            }
        }
        Some(Self { dn, attributes })
    }

    /// The values of an attribute, as bytes.
    pub(crate) fn values(&self, attribute: &str) -> &[Vec<u8>] {
        self.attributes.get(&attribute.to_lowercase()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The values that are texts.
    pub(crate) fn texts<'a>(&'a self, attribute: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.values(attribute).iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The values of an attribute that was asked for by a range (MS-ADTS 3.1.1.3.1.3.3), and where they go on, if they do. `None`: it
    /// has none.
    pub(crate) fn range<'a>(
        &'a self,
        attribute: &str,
    ) -> Option<(impl Iterator<Item = &'a str> + use<'a>, Option<usize>)> {
        let prefix = format!("{};range=", attribute.to_lowercase());
        let of = |(name, values): (&'a String, &'a Vec<Vec<u8>>)| {
            let (_, last) = name.strip_prefix(&prefix)?.split_once('-')?;
            let next = if last == "*" { None } else { Some(last.parse::<usize>().ok()?.checked_add(1)?) };
            Some((values, next))
        };
        let (values, next) = self.attributes.iter().find_map(of)?;
        Some((values.iter().filter_map(|value| std::str::from_utf8(value).ok()), next))
    }

    /// Whether the server shows but a part of the values of an attribute.
    pub(crate) fn is_cut(&self, attribute: &str) -> bool {
        self.range(attribute).is_some_and(|(_, next)| next.is_some())
    }

    /// The first value that is a text.
    pub(crate) fn text(&self, attribute: &str) -> Option<&str> {
        self.texts(attribute).next()
    }

    #[cfg(test)]
    pub(crate) fn with(dn: &str, attributes: &[(&str, &[&str])]) -> Self {
        let bytes = |values: &[&str]| values.iter().map(|value| value.as_bytes().to_vec()).collect();
        let attributes = attributes.iter().map(|(name, values)| (name.to_lowercase(), bytes(values))).collect();
        Self { dn: dn.to_owned(), attributes }
    }
}

/// The entry after a write, where the server shows it (post-read, RFC 4527).
pub(crate) fn post_read(controls: &[Control]) -> Option<Entry> {
    let (_, content) = Reading(control(controls, super::POST_READ)?).next()?;
    Entry::parse(content)
}

/// The cookie of a page (RFC 2696): empty on the last. `None`: the server did not page.
pub(crate) fn cookie(controls: &[Control]) -> Option<Vec<u8>> {
    let mut parts = Reading(control(controls, super::PAGED)?).within(SEQUENCE)?;
    parts.take(INTEGER)?;
    parts.take(OCTETS).map(<[u8]>::to_vec)
}

fn control<'a>(controls: &'a [Control], oid: &str) -> Option<&'a [u8]> {
    controls.iter().find(|control| control.oid == oid)?.value.as_deref()
}
