use super::{AttributeName, Schema};

/// The core User schema (RFC 7643, 8.7.1) and the enterprise extension (4.3), whose attributes mappings name with or without it.
const PLAIN: [&str; 2] =
    ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];

/// Second names and the ones that directories answer with (RFC 4519, 2; RFC 4524, 2; RFC 2798, 9.1; RFC 4514, 3).
const SECOND: [(&str, &str); 18] = [
    ("commonName", "cn"),
    ("countryName", "c"),
    ("domainComponent", "dc"),
    ("favouriteDrink", "drink"),
    ("fax", "facsimileTelephoneNumber"),
    ("friendlyCountryName", "co"),
    ("gn", "givenName"),
    ("homeTelephoneNumber", "homePhone"),
    ("localityName", "l"),
    ("mobileTelephoneNumber", "mobile"),
    ("organizationName", "o"),
    ("organizationalUnitName", "ou"),
    ("pagerTelephoneNumber", "pager"),
    ("rfc822Mailbox", "mail"),
    ("stateOrProvinceName", "st"),
    ("streetAddress", "street"),
    ("surname", "sn"),
    ("userid", "uid"),
];

/// Which spellings of an attribute's name are the same to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// One alone.
    Exact,
    /// Attribute descriptions (RFC 4512, 2.5): in any case, with options after `;`.
    Ldap,
    /// Attribute notation (RFC 7644, 3.10): in any case, with or without the URN of the User schemas, with a sub-attribute after
    /// `.` and a filter in `[]`.
    Scim,
}

impl Spelling {
    /// One text for every spelling of a name.
    pub fn canonical(self, name: &str) -> String {
        if self == Self::Exact {
            return name.to_owned();
        }
        let name = name.trim().to_ascii_lowercase();
        if self == Self::Ldap {
            return name;
        }
        let plain = |urn: &str| match name.strip_prefix(&urn.to_ascii_lowercase())? {
            "" => Some(String::new()),
            rest => rest.strip_prefix(':').map(str::to_owned),
        };
        PLAIN.into_iter().find_map(plain).unwrap_or(name)
    }

    /// The attribute that a name says something of, canonical: without options, sub-attribute and filter.
    fn attribute(self, name: &str) -> String {
        let name = self.canonical(name);
        let until = |text: &str, end: char| text.split(end).next().unwrap_or_default().trim().to_owned();
        match self {
            Self::Exact => name,
            Self::Ldap => until(&name, ';'),
            Self::Scim => {
                let name = until(&name, '[');
                // A URN has full stops of its own.
                match name.rsplit_once(':') {
                    Some((urn, attribute)) => format!("{urn}:{}", until(attribute, '.')),
                    None => until(&name, '.'),
                }
            }
        }
    }

    /// Whether a directory can have an attribute of that name (RFC 4512, 2.5): a keyword, in which some servers allow `_` besides,
    /// or a number, and options, which in Active Directory hold a range (MS-ADTS, 3.1.1.3.1.3.3).
    pub fn is_description(name: &str) -> bool {
        let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let keyword = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic()) && word(text);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| {
            let text = without_prefix(text);
            text.contains('.') && text.split('.').all(digits)
        };
        let option = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let (name, options) = name.split_once(';').map_or((name, None), |(name, options)| (name, Some(options)));
        (keyword(name) || number(name)) && options.is_none_or(|options| options.split(';').all(option))
    }

    /// Whether a directory is told the attribute by its number, also with `oid.` before it (RFC 2251, 4.1.4).
    pub fn is_number(name: &str) -> bool {
        without_prefix(name).starts_with(|c: char| c.is_ascii_digit())
    }

    /// The name that a directory answers with where this is the second one of an attribute.
    pub fn first_name(name: &str) -> Option<&'static str> {
        let asked = Self::Ldap.attribute(name);
        SECOND.into_iter().find_map(|(second, first)| second.eq_ignore_ascii_case(&asked).then_some(first))
    }

    /// Whether two names are of one attribute, whatever else they say.
    pub fn is_of(self, one: &str, other: &str) -> bool {
        self.attribute(one) == self.attribute(other)
    }
}

fn without_prefix(name: &str) -> &str {
    match name.split_at_checked(4) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("oid.") => rest,
        _ => name,
    }
}

impl Schema {
    fn known(&self) -> impl Iterator<Item = &'static str> {
        let mapped = self.mapping.iter().map(|(name, _)| *name);
        mapped.chain([self.user_name]).chain(self.external_id).chain(self.mark)
    }

    /// A name as this schema spells it, where it knows the attribute.
    pub fn spelled(&self, name: &AttributeName) -> AttributeName {
        let canonical = self.spelling.canonical(name.as_str());
        let mut known = self.known().filter(|known| self.spelling.canonical(known) == canonical);
        known.next().map_or_else(|| name.clone(), AttributeName::from)
    }

    /// The attribute that a name is surely meant for, where it is none itself.
    pub fn meant(&self, name: &AttributeName) -> Option<&'static str> {
        if self.known().any(|known| self.spelling.canonical(known) == self.spelling.canonical(name.as_str())) {
            return None;
        }
        // What carries our mark has a name of its own at the target.
        let alike = |known: &&str| self.mark != Some(known) && known.eq_ignore_ascii_case(name.as_str());
        let alike = self.known().find(alike);
        // As SCIM and Provost call it.
        alike.or_else(|| name.as_str().eq_ignore_ascii_case("userName").then_some(self.user_name))
    }

    /// Why an attribute can never be mapped, if it cannot, in whatever spelling.
    pub fn unmappable(&self, name: &AttributeName) -> Option<String> {
        let attribute = self.spelling.attribute(name.as_str());
        let control = self.control.iter().find(|control| self.spelling.is_of(control, &attribute));
        if let Some(control) = control {
            let what =
                if name.as_str() == *control { control.to_string() } else { format!("{name}, which is {control},") };
            return Some(format!("{what} is controlled by Provost itself and cannot be mapped; remove this entry"));
        }
        if self.spelling == Spelling::Ldap && Spelling::is_number(&attribute) {
            return Some(format!(
                "{name} is a number, which does not say whether it can be mapped; write the attribute's name"
            ));
        }
        attribute.is_empty().then(|| format!("{name} names no attribute; write one, or remove this entry"))
    }
}

#[cfg(test)]
mod tests {
    use super::Spelling::{Exact, Ldap, Scim};

    #[test]
    fn one_attribute_has_one_canonical_name() {
        let user = "urn:ietf:params:scim:schemas:core:2.0:User";
        for (spelling, name, canonical) in [
            (Exact, "Mail", "Mail"),
            (Ldap, "Mail;Lang-FR", "mail;lang-fr"),
            (Scim, "Name.GivenName", "name.givenname"),
            (Scim, &format!("{user}:Title"), "title"),
            (Scim, user, ""),
            (Scim, "urn:acme:1.0:User:Title", "urn:acme:1.0:user:title"),
        ] {
            assert_eq!(spelling.canonical(name), canonical, "{name}");
        }
    }

    #[test]
    fn a_name_that_no_directory_can_have_is_told() {
        for name in
            ["mail", "mail;lang-fr;x-a", "member;range=0-*", "2.16.840.1", "OID.2.5.4.3", "msDS-Key", "acme_level", "l"]
        {
            assert!(super::Spelling::is_description(name), "{name}");
        }
        for name in [
            "",
            " mail",
            "car License",
            "1a",
            "9",
            "2..5",
            "mail;",
            "mail;a b",
            ";x",
            "oid.",
            "oid.x",
            "-a",
            "emails[0]",
            "straße",
            "a=b",
            "a.b",
        ] {
            assert!(!super::Spelling::is_description(name), "{name}");
        }
    }

    #[test]
    fn an_attribute_is_told_from_what_is_said_of_it() {
        for (spelling, one, other, same) in [
            (Exact, "a.b", "a", false),
            (Ldap, "mail;lang-fr", "MAIL", true),
            (Ldap, "mailbox", "mail", false),
            (Scim, "emails[type eq \"work\"].value", "Emails", true),
            (Scim, "name.givenName", "name.familyName", true),
            (Scim, "urn:acme:1.0:User:a.b", "urn:acme:1.0:User:a", true),
            (Scim, "urn:acme:1.0:User:a", "urn:acme:1.0:User:b", false),
        ] {
            assert_eq!(spelling.is_of(one, other), same, "{one} {other}");
        }
    }
}
