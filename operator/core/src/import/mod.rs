//! What exists becomes what would be declared: accounts and groups of a target, or the rows of a table, become identities,
//! groups and policies; and what applying those would do to the same target is rehearsed with the engine itself.
//!
//! A target is read by its own TargetApplication: which field of an identity an attribute comes from is what the mapping
//! says, read backwards. Whatever cannot be declared so that nothing changes is left out, or named by the rehearsal.

mod account;
mod csv;
mod draft;
mod groups;
mod people;
mod rehearsal;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::directory::{Directory, Schemas};
use crate::model::{
    AccessPolicy, AttributeName, Change, Group, Identity, Name, Observed, ObservedEntitlement, Profile, Schema,
};

pub use csv::Misplaced;
pub use rehearsal::{Rehearsal, Write, rehearse};

use groups::Granted;
use people::People;

/// Everything that a target showed.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What the target can do.
    pub profile: Profile,
    /// Its accounts.
    pub accounts: Vec<Observed>,
    /// Its groups, roles and licences.
    pub entitlements: Vec<ObservedEntitlement>,
    /// How many parts of a list other servers hold, which were not asked.
    pub elsewhere: Vec<(What, usize)>,
}

/// What is to be declared, and what could not be.
#[derive(Clone, Debug, Default)]
pub struct Brought {
    /// Identities that are new, by name.
    pub identities: Vec<(Name, Identity)>,
    /// How many were declared already.
    pub known: usize,
    /// Groups, by name.
    pub groups: Vec<(Name, Group)>,
    /// Policies, by name.
    pub policies: Vec<(Name, AccessPolicy)>,
    /// What was left out, in the order of the source.
    pub skipped: Vec<Skipped>,
    /// Attributes that have a value of which nothing is declared, since the mapping gives nothing for it, and on whose accounts:
    /// several values where a field has one, or an expression that cannot be read backwards. The target keeps them.
    pub untaken: BTreeMap<AttributeName, Vec<Arc<str>>>,
    /// Entries of the catalogue, each with its name at the target, that the target does not show and that are not to be made.
    pub absent: Vec<(Name, Arc<str>)>,
    /// Groups of the target that the catalogue does not name: membership in them grants nothing yet.
    pub uncatalogued: Vec<Arc<str>>,
}

/// Something that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What it is.
    pub what: What,
    /// Its name at the source: the user name, the group's name, or the line.
    pub name: Arc<str>,
    /// Why.
    pub why: Arc<str>,
}

/// What was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An account, or a row of a table.
    Account,
    /// A manager that was named.
    Manager,
    /// A group.
    Group,
    /// Members of a group.
    Member,
}

impl What {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Manager => "manager",
            Self::Group => "group",
            Self::Member => "member",
        }
    }
}

/// Why nothing at all could be read backwards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    /// The TargetApplication is not there, or invalid.
    #[error("TargetApplication {0} is not there or invalid; `provost lint` says more")]
    Application(Name),
}

/// What a target holds, as it would be declared beside what is declared already.
///
/// # Errors
/// The TargetApplication cannot be read.
pub fn from_target(
    schemas: Schemas,
    namespace: &str,
    application: &Name,
    declared: &[Change],
    shown: &Shown,
) -> Result<Brought, NotRead> {
    let mut directory = Directory::new(schemas);
    // Nothing here depends on the time: whoever has ended is declared all the same.
    directory.replace(declared.to_vec(), jiff::Timestamp::UNIX_EPOCH);
    let spec = directory.application_spec(application).ok_or_else(|| NotRead::Application(application.clone()))?;
    let mut brought = Brought::default();
    for (what, parts) in shown.elsewhere.iter().filter(|(_, parts)| *parts > 0) {
        let why = format!("other servers hold parts of the list ({parts}), which are not asked");
        brought.skipped.push(Skipped { what: *what, name: "elsewhere".into(), why: why.into() });
    }
    let mut people = People::beside(&directory);
    for account in &shown.accounts {
        let own = shown.profile.principal.as_ref() == Some(&account.id);
        match account::person(account, own, spec, namespace, application) {
            Ok(person) => people.push(person),
            Err(why) => {
                let name = label(account, spec.schema).unwrap_or(account.id.as_str());
                brought.skipped.push(Skipped { what: What::Account, name: name.into(), why });
            }
        }
    }
    let labels = shown.accounts.iter();
    let labels: Labels<'_> = labels.filter_map(|a| Some((a.id.as_str(), label(a, spec.schema)?))).collect();
    let names = people.settle(&labels, &mut brought);
    let granted = Granted { application, catalogue: &spec.application.entitlements, paths: spec.schema.paths };
    groups::of_target(&granted, &directory, shown, &names, &labels, &mut brought);
    Ok(brought)
}

/// What a table in CSV holds. `application`: what everybody in it has an account of.
///
/// # Errors
/// The table cannot be read, and each place where, as far as they can be told in one look.
pub fn from_table(
    schemas: Schemas,
    text: &str,
    application: Option<&Name>,
    declared: &[Change],
) -> Result<Brought, Vec<Misplaced>> {
    let rows = table::rows(text)?;
    let mut directory = Directory::new(schemas);
    directory.replace(declared.to_vec(), jiff::Timestamp::UNIX_EPOCH);
    let mut brought = Brought::default();
    let mut people = People::beside(&directory);
    let mut listed = groups::Listed::default();
    for row in rows {
        listed.note(&row.person.id, row.groups);
        people.push(row.person);
    }
    let names = people.settle(&Labels::new(), &mut brought);
    groups::of_table(application, &directory, &listed, &names, &mut brought);
    Ok(brought)
}

/// What people know accounts by, by their ids, also those that are left out.
type Labels<'a> = BTreeMap<&'a str, &'a str>;

/// The login name of an account; of one without, as of a service's entry in a directory, the name that it shows.
fn label<'a>(account: &'a Observed, schema: &Schema) -> Option<&'a str> {
    [schema.user_name, "displayName", "cn", "mail", "email"].into_iter().find_map(|attribute| account.text(attribute))
}

/// An account or a row under its name: who it is here.
type Names = BTreeMap<Arc<str>, Name>;
