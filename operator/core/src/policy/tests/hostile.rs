//! Whatever is written, and whatever it is evaluated on: an answer within bounds, in an unoptimised build, on the
//! small stack of a test's thread.

use super::super::facts::Cost;
use super::super::rule::{Scope, Site, check, compile};
use super::random::{Random, seeds};
use super::{group, result, with_facts};
use crate::policy::eval::Machine;

/// A name, and the source that repeats it so many times.
type Shape = (&'static str, fn(usize) -> String);

fn nested(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn what_is_nested_or_chained_too_deep_is_refused_by_name() {
    let shapes: &[Shape] = &[
        ("parentheses", |n| nested("(", "1", ")", n)),
        ("lists", |n| nested("[", "1", "]", n)),
        ("maps", |n| nested("{1:", "1", "}", n)),
        ("calls", |n| nested("size(", "'a'", ")", n)),
        ("indexes", |n| nested("a[", "1", "]", n)),
        ("index chains", |n| format!("a{}", "[0]".repeat(n))),
        ("selectors", |n| format!("a{}", ".b".repeat(n))),
        ("optional selectors", |n| format!("a{}", ".?b".repeat(n))),
        ("method chains", |n| format!("'a'{}", ".trim()".repeat(n))),
        ("sums", |n| format!("1{}", "+1".repeat(n))),
        ("products", |n| format!("1{}", "*1".repeat(n))),
        ("comparisons", |n| format!("1{}", "==1".repeat(n))),
        ("memberships", |n| format!("1{}", " in 1".repeat(n))),
        ("conditionals", |n| format!("{}1", "true?1:".repeat(n))),
        ("conditionals in the middle", |n| format!("{}1{}", "true?".repeat(n), ":1".repeat(n))),
        ("negations", |n| format!("{}true", "!".repeat(n))),
        ("minus signs", |n| format!("{}1", "-".repeat(n))),
        ("negated parentheses", |n| nested("!(", "true", ")", n)),
        ("macros", |n| nested("[1].map(x,", "x", ")", n)),
        ("macros on macros", |n| format!("[1]{}", ".map(x,x)".repeat(n))),
        ("leading sums in parentheses", |n| nested("(1+", "1", ")", n)),
        ("trailing sums in parentheses", |n| nested("(", "1", "+1)", n)),
        ("nested memberships", |n| nested("1 in (", "identity.groups", ")", n)),
    ];
    for (shape, make) in shapes {
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
    let shapes: &[Shape] = &[
        ("lists", |n| format!("[{}1]", "1,".repeat(n))),
        ("maps", |n| format!("{{{}1:1}}", "1:1,".repeat(n))),
        ("disjunctions", |n| format!("{}true", "true||".repeat(n))),
        ("mixed logic", |n| format!("{}true", "true||true&&".repeat(n))),
        ("names before a brace", |n| format!("[{}a.b.c.d]", "a.b.c.d,".repeat(n))),
        ("messages", |n| format!("[{}1]", "a.b{c:1},".repeat(n))),
        ("short lists", |n| format!("[{}1]", "[[[[1]]]],".repeat(n))),
        ("parentheses beside one another", |n| format!("{}(true)", "((((true))))&&".repeat(n))),
        ("conditionals beside one another", |n| format!("[{}1]", "true?1:2,".repeat(n))),
        ("comments", |n| format!("{}1", "//\n".repeat(n))),
        ("one text", |n| format!("'{}'", "a".repeat(n))),
    ];
    for (shape, make) in shapes {
        let longest = (1..=4096).map(make).take_while(|source| source.len() <= 4096).last().unwrap();
        let answer = result(&longest);
        assert!(!answer.contains("bytes long"), "{shape}: {answer}");
    }
}

#[test]
fn an_evaluation_that_costs_too_much_is_refused_within_its_budget() {
    let ten = "[0,1,2,3,4,5,6,7,8,9]";
    let product = format!("{}true{}", format!("{ten}.all(x, ").repeat(9), ")".repeat(9));
    let doubled = format!("['aaaaaaaaaaaaaaaa']{}", ".map(x, x + x)".repeat(40));
    let shared = format!("[[1]]{}", ".map(x, [x, x])".repeat(40));
    let compared = format!("[{shared}, {shared}].map(x, 1) == [1, 1] && {shared} == {shared}");
    let replaced = format!("'aaaaaaaa'{}", ".replace('a', 'aaaaaaaa')".repeat(20));
    let split = format!("'aaaaaaaa'{}.split('')", ".replace('a', 'aaaaaaaa')".repeat(4));
    let joined = format!("{ten}.map(x, 'aaaaaaaaaa').join('{}')", "b".repeat(2000));
    let lists = format!("[1]{}", ".map(x, [x, x, x, x])".repeat(20));
    let sums = format!("[[1, 1]]{}", ".map(x, x + x)".repeat(30));
    for source in [&product, &doubled, &compared, &replaced, &split, &joined, &lists, &sums] {
        let Ok((node, _)) = check(source, Site::Attribute, &mut Scope { group: &mut group }) else {
            assert!(result(source).contains("nested"), "{}", result(source));
            continue;
        };
        with_facts(|facts| {
            let mut cost = Cost::default();
            let outcome = Machine { facts, cost: &mut cost }.value(&node, None);
            if let Err(fault) = outcome {
                assert!(fault.exhausted, "{source}: {}", fault.message);
            }
            assert!(cost.steps_taken() <= Cost::STEPS);
        });
    }
    assert!(result(&product).contains("budget"), "{}", result(&product));
    assert!(result(&replaced).contains("budget"), "{}", result(&replaced));
    assert!(result(&doubled).contains("budget"), "{}", result(&doubled));
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
    for pattern in [
        r"\\w{1000}",
        r"(((a{100}){100}){100})",
        r"(a*)*b",
        r"(a|a)*$",
        r"((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))",
        r"[\\pL]{500}",
        r".*.*.*.*.*.*.*=.*",
        r"a{4294967295}",
        r"(?:",
        r"\\p{Nonsense}",
        r"(a)\\1",
    ] {
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
