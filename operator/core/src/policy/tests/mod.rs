//! Tests of the language from within: what no site would let through can be evaluated here.

mod absence;
mod conformance;
mod conformance_library;
mod guard;
mod hostile;
mod oracle;
mod random;
mod rules;
mod sample;

use super::eval::Machine;
use super::facts::{Cost, Facts, GroupId, Manager, Memberships};
use super::rule::{Scope, Site};
use super::value::{List, Val};
use crate::model::{Name, State};

thread_local! {
    /// Operations that this thread paid for, from whatever budget.
    pub static TAKEN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The numbers of groups in these tests.
pub const GROUPS: [&str; 4] = ["sre", "platform", "contractors", "missing"];

pub fn group(name: &str) -> GroupId {
    let at = GROUPS.iter().position(|g| *g == name).unwrap_or(GROUPS.len());
    GroupId(u32::try_from(at).unwrap())
}

pub fn group_name(id: GroupId) -> Option<Name> {
    GROUPS.get(id.0 as usize).map(|name| Name::from(*name))
}

/// Ada, in the groups sre and platform; missing cannot be told.
pub fn with_facts<T>(run: impl FnOnce(&Facts<'_>) -> T) -> T {
    let (ada, grace) = (sample::ada().pack(), sample::grace().pack());
    let facts = Facts {
        identity: &ada,
        manager: Manager::Known(&grace),
        state: State::Active,
        application: Some("wiki"),
        groups: Memberships { sure: &[GroupId(0), GroupId(1)], unknown: &[GroupId(3)], name: &group_name },
    };
    run(&facts)
}

/// What an expression evaluates to, whatever its type; `refused: ..` and `failed: ..` where it does not.
pub fn result(expression: &str) -> String {
    let node = match super::rule::check(expression, Site::Attribute, &mut Scope { group: &mut group }) {
        Ok((node, _)) => node,
        Err(findings) => {
            let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
            return format!("refused: {}", findings.join("\n"));
        }
    };
    with_facts(|facts| {
        let mut cost = Cost::default();
        match (Machine { facts, cost: &mut cost }).value(&node, None) {
            Ok(value) => render(&value),
            Err(fault) => format!("failed: {}", fault.message),
        }
    })
}

/// A value as a text that tells types apart.
pub fn render(value: &Val<'_>) -> String {
    match value {
        Val::Null => "null".to_owned(),
        Val::Bool(b) => b.to_string(),
        Val::Int(i) => i.to_string(),
        Val::Uint(u) => format!("{u}u"),
        Val::Double(d) => format!("{d:?}"),
        Val::Text(text) => format!("'{}'", text.as_str()),
        Val::Bytes(bytes) => format!("b'{}'", bytes.escape_ascii()),
        Val::List(list) => render_list(list),
        Val::Map(map) => {
            let mut entries: Vec<_> = (0..map.len())
                .filter_map(|at| map.entry(at))
                .map(|(key, value)| format!("{}: {}", render(&key), render(&value)))
                .collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        Val::Timestamp(t) => format!("@{t}"),
        Val::Duration(d) => format!("~{}", super::time::duration_text(d)),
        Val::Type(name) => (*name).to_owned(),
        Val::Optional(None) => "none".to_owned(),
        Val::Optional(Some(value)) => format!("some({})", render(value)),
        Val::Object(_) => "object".to_owned(),
    }
}

fn render_list(list: &List<'_>) -> String {
    format!("[{}]", list.iter().map(|v| render(&v)).collect::<Vec<_>>().join(", "))
}
