//! Whatever is written, and whatever it is evaluated on: an answer within bounds, in an unoptimised build, on the
//! small stack of a test's thread.

use super::super::facts::Cost;
use super::super::rule::{Scope, Site, check, compile};
use super::random::{Random, seeds};
use super::{TAKEN, group, result, with_facts};
use crate::model::Effect;
use crate::policy::eval::Machine;
use crate::policy::node::{Node, children};

#[path = "../../../tests/hostile/shapes.rs"]
mod shapes;

const SITES: [Site; 6] = [
    Site::GroupMatch,
    Site::PolicyMatch(Effect::Allow),
    Site::PolicyMatch(Effect::Deny),
    Site::Requires,
    Site::Attribute,
    Site::Correlation,
];

fn nodes(node: &Node) -> usize {
    1 + children(node).into_iter().map(nodes).sum::<usize>()
}

/// Operations that were paid for meanwhile, from whatever budget.
fn taken<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = TAKEN.get();
    let result = run();
    (result, TAKEN.get() - before)
}

#[test]
fn at_every_site_a_hostile_rule_costs_one_budget_to_check_and_one_to_evaluate() {
    let budget = usize::try_from(Cost::STEPS).unwrap();
    let mut costly = 0;
    for (name, source) in shapes::all() {
        for site in SITES {
            let (checked, spent) = taken(|| compile(&source, site, &mut Scope { group: &mut group }));
            assert!(spent <= budget, "{name} at {site:?}: checking took {spent} operations");
            costly += usize::from(spent > budget / 2);
            let Ok(rule) = checked else { continue };
            let count = nodes(&rule.root);
            assert!(count <= source.len(), "{name} at {site:?}: {count} nodes of {} bytes", source.len());
            let ((), spent) = taken(|| {
                with_facts(|facts| match site {
                    Site::Attribute | Site::Correlation => {
                        drop(crate::policy::evaluate(&rule, facts, &mut Cost::default()));
                    }
                    _ => drop(crate::policy::matches(&rule, facts, &mut Cost::default())),
                });
            });
            assert!(spent <= budget, "{name} at {site:?}: evaluating took {spent} operations");
        }
    }
    assert!(costly > 0, "nothing came near the budget: the shapes are harmless");
}

#[test]
fn what_is_too_complex_to_look_through_is_refused_where_absence_could_grant() {
    let source = &shapes::absent()[0].1;
    let site = |effect| compile(source, Site::PolicyMatch(effect), &mut Scope { group: &mut group });
    let refused = site(Effect::Allow).unwrap_err();
    let [finding] = &refused[..] else { panic!("{refused:?}") };
    assert!(finding.to_string().contains("too complex to tell whether deleting a field could grant"), "{finding}");
    let rule = site(Effect::Deny).unwrap();
    assert!(rule.warnings()[0].message.contains("too complex to tell whether deleting a field lifts"));
}

#[test]
fn findings_about_absence_are_few_enough_to_be_shown() {
    let many: Vec<String> = (0..100).map(|n| format!("identity.attributes.x{n}!=''")).collect();
    let refused = compile(&many.join("||"), Site::Requires, &mut Scope { group: &mut group }).unwrap_err();
    assert_eq!(refused.len(), 20);
}

#[test]
fn what_is_nested_or_chained_too_deep_is_refused_by_name() {
    for (shape, make) in shapes::DEEP {
        let mut refused = false;
        for times in [1, 8, 16, 24, 32, 64, 96, 128, 300, 600, 1000, 2000] {
            let source = make(times);
            let answer = result(&source);
            refused |= answer.contains("nested") || answer.contains("bytes long");
            assert!(!answer.is_empty());
        }
        assert!(refused, "{shape}: no limit was met");
    }
}

#[test]
fn what_people_write_is_far_from_the_limits() {
    let many = vec!["identity.department == 'Engineering'"; 90].join(" || ");
    let listed = format!("identity.department in [{}]", vec!["'Engineering'"; 250].join(", "));
    let joined = vec!["identity.userName"; 40].join(" + ");
    let chosen = format!("{} 'none'", "identity.title == 'a' ? 'b' : ".repeat(30));
    for source in [many, listed, joined, chosen] {
        assert!(!result(&source).starts_with("refused"), "{}", result(&source));
    }
}

#[test]
fn the_longest_sources_are_read_or_refused() {
    for (shape, make) in shapes::LONG {
        let longest = (1..=4096).map(make).take_while(|source| source.len() <= 4096).last().unwrap();
        let answer = result(&longest);
        assert!(!answer.contains("bytes long"), "{shape}: {answer}");
    }
}

#[test]
fn an_evaluation_that_costs_too_much_is_refused_within_its_budget() {
    let mut exhausted = 0;
    for (name, source) in shapes::growing() {
        let Ok((node, _)) = check(&source, Site::Attribute, &mut Scope { group: &mut group }) else {
            assert!(result(&source).contains("nested"), "{name}: {}", result(&source));
            continue;
        };
        with_facts(|facts| {
            let mut cost = Cost::default();
            let (outcome, spent) = taken(|| Machine { facts, cost: &mut cost }.value(&node, None));
            if let Err(fault) = outcome {
                assert!(fault.exhausted && fault.message.contains("budget"), "{name}: {}", fault.message);
                exhausted += 1;
            }
            assert!(spent <= usize::try_from(Cost::STEPS).unwrap(), "{name}: {spent}");
        });
    }
    assert!(exhausted >= 5, "{exhausted} used their budget up");
}

#[test]
fn a_used_up_budget_is_not_absorbed() {
    let ten = "[0,1,2,3,4,5,6,7,8,9]";
    let costly = format!("{}true{}", format!("{ten}.all(x, ").repeat(9), ")".repeat(9));
    assert!(result(&format!("{costly} || true")).contains("budget"));
    assert!(result(&format!("[1].exists(y, {costly} || true)")).contains("budget"));
    // Bytes run out while operations are left.
    let long = format!("'aaaaaaaa'{}", ".replace('a', 'aaaaaaaa')".repeat(8));
    assert!(result(&format!("{long} == '' || true")).contains("budget"));
    assert!(result(&format!("[1, 2].exists(y, y == 2 || {long} == '')")).contains("budget"));
}

#[test]
fn a_value_that_shares_parts_is_not_written_out_beyond_the_budget() {
    let shared = format!("[['a']]{}", ".map(x, [x, x, x])".repeat(12));
    let rule = compile(&shared, Site::Attribute, &mut Scope { group: &mut group }).unwrap();
    with_facts(|facts| {
        let unknown = crate::policy::evaluate(&rule, facts, &mut Cost::default()).unwrap_err();
        assert!(unknown.message.contains("budget"), "{unknown:?}");
    });
}

#[test]
fn patterns_that_grow_when_compiled_are_refused() {
    for pattern in shapes::PATTERNS {
        let answer = result(&format!("'{}'.matches('{pattern}')", "a".repeat(2000)));
        let sound = answer == "true" || answer == "false" || answer.contains("pattern") || answer.contains("budget");
        assert!(sound, "{pattern}: {answer}");
    }
    assert!(result(r"'a'.matches('\\w{1000}')").contains("too large"));
    assert!(result(r"'a'.matches('(a)\\1')").contains("not valid"));
}

const TOKENS: &[&str] = &[
    "identity",
    ".",
    "title",
    "emails",
    "groups",
    "attributes",
    "manager",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    "&&",
    "||",
    "==",
    "!=",
    "<",
    ">",
    "<=",
    ">=",
    " in ",
    "'a'",
    "\"b\"",
    "r'c'",
    "b'd'",
    "1",
    "2u",
    "3.5",
    "true",
    "null",
    "has(",
    ".all(x,",
    ".map(x,",
    ".exists(",
    "x",
    "size(",
    ".matches(",
    "'''",
    "'",
    "\"",
    "\\",
    "//",
    "\n",
    " ",
    "é",
    "\u{1F600}",
    "\0",
    "`",
    "@",
    "=",
    "|",
    "&",
    "$",
    "_",
    "optional.of(",
    ".?",
    "[?",
    "timestamp(",
    "0x",
    "1e",
];

#[test]
fn random_tokens_of_any_length_get_an_answer() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        for round in 0..1500 {
            let longest = if round % 50 == 0 { 1600 } else { 40 };
            let source: String = (0..=random.below(longest)).map(|_| *random.pick(TOKENS)).collect();
            let answer = std::panic::catch_unwind(|| result(&source));
            assert!(answer.is_ok(), "PROVOST_SEED={seed}: {source:?}");
        }
    }
}

#[test]
fn damaged_rules_get_an_answer_and_places_within_the_source() {
    let rules = [
        "identity.department == \"Engineering\" && (has(identity.title) ? identity.title != 'é' : false)",
        "identity.emails.exists(e, e.value.endsWith(\"@acme.test\") && has(e.type)) || 'sre' in identity.groups",
        "{'a': [1, 2u, 3.5], 'b': identity.attributes.?x.orValue('y').replace('a', 'b')}",
    ];
    for seed in seeds() {
        let mut random = Random::new(seed);
        for _ in 0..1500 {
            let mut source: Vec<char> = random.pick(&rules).chars().collect();
            for _ in 0..=random.below(4) {
                let at = random.below(source.len());
                match random.below(3) {
                    0 => drop(source.remove(at)),
                    1 => source.insert(at, random.pick(TOKENS).chars().next().unwrap()),
                    _ => source.swap(at, 0),
                }
            }
            let source: String = source.into_iter().collect();
            if let Err(findings) = compile(&source, Site::Attribute, &mut Scope { group: &mut group }) {
                for finding in findings {
                    let inside = source.get(finding.span.clone()).is_some();
                    assert!(
                        inside && finding.line > 0 && finding.column > 0,
                        "PROVOST_SEED={seed}: {source:?} {finding:?}"
                    );
                }
            }
        }
    }
}
