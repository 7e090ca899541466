//! Rules written to hurt: refused when compiled, or bounded when evaluated.

use std::time::Duration;

use provost_core::model::{Change, State};
use provost_core::policy::{Cost, Facts, GroupId, Manager, Memberships, Scope, Site, compile, evaluate};

use crate::clock::timed;
use crate::table::Table;
use crate::world;

pub fn measure(table: &mut Table) {
    let ten = "[0,1,2,3,4,5,6,7,8,9]";
    let nested = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let deep = ["(", "[", "!", "-", "size(", "!(", "1 in (", "[1].map(x,"].map(|open| {
        let closing: String = open
            .chars()
            .rev()
            .filter_map(|c| match c {
                '(' => Some(')'),
                '[' if !open.contains(']') => Some(']'),
                _ => None,
            })
            .collect();
        nested(open, "true", &closing, 4_000 / (open.len() + closing.len()))
    });
    let chains = ["+1", "*1", "==1", " in 1", "[0]", ".b", ".trim()", ".map(x,x)"]
        .map(|link| format!("1{}", link.repeat(4_000 / link.len())));
    let patterns = [r"\\w{1000}", r"(((a{100}){100}){100})", r"(a*)*b", r"(a|a)*$", r".*.*.*.*.*=.*", r"[\\pL]{500}"]
        .map(|pattern| format!("'{}'.matches('{pattern}')", "a".repeat(2_000)));
    let growing = [
        format!("{}true{}", format!("{ten}.all(x, ").repeat(9), ")".repeat(9)),
        format!("['aaaaaaaaaaaaaaaa']{}", ".map(x, x + x)".repeat(40)),
        format!("[[1]]{}", ".map(x, [x, x])".repeat(40)),
        format!("'aaaaaaaa'{}", ".replace('a', 'aaaaaaaa')".repeat(20)),
        format!("'aaaaaaaa'{}.split('')", ".replace('a', 'aaaaaaaa')".repeat(4)),
        format!("[1]{}", ".map(x, [x, x, x, x])".repeat(20)),
    ];
    worst(table, "nested 4 KiB deep", &deep);
    worst(table, "chains of 4 KiB", &chains);
    worst(table, "patterns that explode", &patterns);
    worst(table, "comprehensions that grow exponentially", &growing);
}

/// The longest that any of them takes, compiled and, where it compiles, evaluated.
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
    for source in sources {
        let run = || {
            let rule = compile(source, Site::Attribute, &mut Scope { group: &mut |_| GroupId(1) });
            rule.is_ok_and(|rule| evaluate(&rule, &facts, &mut Cost::default()).is_ok())
        };
        let (time, _) = (0..3).map(|_| timed(run)).min_by_key(|(time, _)| *time).unwrap();
        refused += usize::from(!run());
        longest = longest.max(time);
    }
    let what = format!("hostile: {what} ({refused} of {} refused), the slowest", sources.len());
    table.shown(what, longest.as_secs_f64() * 1e3, "ms");
}
