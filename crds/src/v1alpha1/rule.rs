//! CEL rules that several resources share. The API server checks them; `input` of the operator checks the same without it.

use kube::core::Rule;

/// Exactly one of the optional members of a union is there.
pub(crate) fn exactly_one(what: &str, members: &[&str]) -> Rule {
    let has: Vec<String> = members.iter().map(|member| format!("has(self.{member})")).collect();
    Rule::new(format!("[{}].filter(x, x).size() == 1", has.join(", ")))
        .message(format!("must name exactly one {what} ({})", members.join(", ")).as_str())
}

/// Of two times on one object the later one comes after the earlier one.
pub(crate) fn in_order(earlier: &str, later: &str) -> Rule {
    Rule::new(format!("!has(self.{earlier}) || !has(self.{later}) || self.{later} > self.{earlier}"))
        .message(format!("must be after {earlier}").as_str())
        .field_path(format!(".{later}"))
}

/// A URL without user info, query and fragment. It stands on the parent, since a rule on the string itself would have the API
/// server repeat the value, and with it a password written into it by mistake.
pub(crate) fn plain_url(field: &str) -> Rule {
    Rule::new(format!(r"self.{field}.matches('^https?://[^/?#@\\s\\\\]+(/[^?#\\s\\\\]*)?$')"))
        .message("must be an https URL without user info (credentials belong in auth), query and fragment, as in https://wiki.example.com/scim/v2")
        .field_path(format!(".{field}"))
}

/// The URL of a directory: a host with a port, or the path of a socket, and nothing else. On the parent, as [`plain_url`].
pub(crate) fn ldap_url(field: &str) -> Rule {
    Rule::new(format!(r"self.{field}.matches('^(ldaps?://[^/?#@\\s\\\\%]+/?|ldapi://[^/?#@:\\s\\\\]+/?)$')"))
        .message("must be ldaps://host, ldap://host (with StartTLS) or ldapi://%2Fpath%2Fof%2Fsocket, without user info, query and DN, as in ldaps://ldap.example.com")
        .field_path(format!(".{field}"))
}

/// The list marks at most one entry as primary.
pub(crate) fn one_primary() -> Rule {
    Rule::new("self.filter(e, has(e.primary) && e.primary).size() <= 1")
        .message("must have at most one entry with primary: true")
}

/// `deleteAfter` only where the account is disabled first.
pub(crate) fn delete_after_disable() -> Rule {
    Rule::new("!has(self.deleteAfter) || !has(self.action) || self.action == 'Disable'")
        .message("must be left out unless action is Disable")
        .field_path(".deleteAfter")
}

/// No two entries of the catalogue name the same thing of this kind at the target.
pub(crate) fn unique_target(kind: &str) -> Rule {
    Rule::new(format!(
        "self.all(x, !has(x.target.{kind}) || self.exists_one(y, has(y.target.{kind}) && y.target.{kind}.name == x.target.{kind}.name))"
    ))
    .message(format!("must not name one {kind} of the target in two entitlements").as_str())
}

/// One group at the target has one writer: no pushed group carries the name of a group in the catalogue.
pub(crate) fn one_writer_per_group() -> Rule {
    Rule::new(
        "!has(self.pushedGroups) || !has(self.entitlements) || \
         self.pushedGroups.all(p, !self.entitlements.exists(e, has(e.target.group) && e.target.group.name == p.name))",
    )
    .message("must not push to a group of the target that an entitlement names too")
    .field_path(".pushedGroups")
}

/// A span of time that is more than none.
pub(crate) fn more_than_zero() -> Rule {
    Rule::new("self.matches('[1-9]')").message("must be more than zero")
}
