//! Rules written to hurt: refused when compiled, or bounded when evaluated, at every site.

use std::time::Duration;

use provost_core::model::{Change, Effect, State};
use provost_core::policy::{Cost, Facts, GroupId, Manager, Memberships, Scope, Site, compile, evaluate, matches};

use crate::clock::timed;
use crate::table::Table;
use crate::world;

#[allow(dead_code, reason = "the core's tests take all of them; here they are measured kind by kind")]
#[path = "../../../operator/core/tests/hostile/shapes.rs"]
mod shapes;

const SITES: [Site; 6] = [
    Site::GroupMatch,
    Site::PolicyMatch(Effect::Allow),
    Site::PolicyMatch(Effect::Deny),
    Site::Requires,
    Site::Attribute,
    Site::Correlation,
];

pub fn measure(table: &mut Table) {
    let text = "a".repeat(2_000);
    let of = |shapes: &[shapes::Shape]| -> Vec<String> {
        let longest = |make: &fn(usize) -> String| {
            (1..=4096).map(make).take_while(|source| source.len() <= 4096).last().unwrap_or_default()
        };
        shapes.iter().map(|(_, make)| longest(make)).collect()
    };
    let sources =
        |hostile: Vec<shapes::Hostile>| -> Vec<String> { hostile.into_iter().map(|(_, source)| source).collect() };
    let patterns: Vec<String> =
        shapes::PATTERNS.iter().map(|pattern| format!("'{text}'.matches('{pattern}')")).collect();
    worst(table, "nested or chained, 4 KiB", &of(shapes::DEEP));
    worst(table, "4 KiB of anything", &of(shapes::LONG));
    worst(table, "patterns that explode", &patterns);
    worst(table, "comprehensions that grow exponentially", &sources(shapes::growing()));
    worst(table, "absence that is costly to look for", &sources(shapes::absent()));
}

/// The longest that any of them takes at any site, compiled and, where it compiles, evaluated.
fn worst(table: &mut Table, what: &str, sources: &[String]) {
    let Change::Identity(manifest) = world::identity(7, "Engineering", "Engineer") else { unreachable!() };
    let ada = manifest.spec.unwrap().pack();
    let facts = Facts {
        identity: &ada,
        manager: Manager::Absent,
        state: State::Active,
        application: None,
        groups: Memberships { sure: &[], unknown: &[], name: &|_| None },
    };
    let (mut refused, mut longest) = (0, Duration::ZERO);
    for (source, site) in sources.iter().flat_map(|source| SITES.map(|site| (source, site))) {
        let run = || {
            let rule = compile(source, site, &mut Scope { group: &mut |_| GroupId(1) });
            rule.is_ok_and(|rule| match site {
                Site::Attribute | Site::Correlation => evaluate(&rule, &facts, &mut Cost::default()).is_ok(),
                _ => matches(&rule, &facts, &mut Cost::default()).is_ok(),
            })
        };
        let (time, _) = (0..3).map(|_| timed(run)).min_by_key(|(time, _)| *time).unwrap();
        refused += usize::from(!run());
        longest = longest.max(time);
    }
    let what = format!("hostile: {what} ({refused} of {} refused), the slowest", sources.len() * SITES.len());
    table.shown(what, longest.as_secs_f64() * 1e3, "ms");
}
