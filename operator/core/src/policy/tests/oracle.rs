//! Generated expressions, against the interpreter of the `cel` crate. It is complete on what is generated here: literals,
//! arithmetic, comparison, logic, texts, bytes, lists, maps, macros over them, and conversions. Timestamps and durations
//! are not: the interpreter is built without its clock crate; the tables of `conformance` judge them, and what it leaves out
//! (adding bytes, doubles as text). Nor is it right where a whole number beyond 2^53 is compared with a double: it makes a double of
//! it first, so that 18446744073709551610u is as much as 18446744073709551614.0.

use std::collections::HashMap;

use cel::{Context, Program, Value};

use super::random::{Random, seeds};
use super::{result, with_facts};
use crate::policy::rule::{Scope, Site, compile};
use crate::policy::{Cost, matches, trace};
use crate::random::tell;

const ROUNDS: usize = 3000;

/// Types of generated expressions.
#[derive(Clone, Copy, PartialEq)]
enum Ty {
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Ints,
    Texts,
    /// Of text to int.
    Map,
}

struct Generator<'r> {
    random: &'r mut Random,
    /// Variables of macros around.
    bound: Vec<(String, Ty)>,
}

impl Generator<'_> {
    fn leaf(&mut self, ty: Ty) -> String {
        let bound: Vec<_> = self.bound.iter().filter(|(_, t)| *t == ty).map(|(n, _)| n.clone()).collect();
        if !bound.is_empty() && self.random.chance(60) {
            return self.random.pick(&bound).clone();
        }
        let leaves: &[&str] = match ty {
            Ty::Bool => &["true", "false", "has(identity.attributes.clearance)", "has(identity.attributes.nothing)"],
            Ty::Int => &["0", "1", "2", "-3", "7", "9223372036854775807", "size(identity.title)", "1 / 0"],
            Ty::Uint => &["0u", "1u", "5u", "18446744073709551615u"],
            Ty::Double => &["0.0", "1.0", "-2.5", "1e3"],
            Ty::Text => &[
                "''",
                "'a'",
                "'Analyst'",
                "'é'",
                "identity.title",
                "identity.department",
                "identity.userName",
                "identity.division",
                "identity.name.given",
                "identity.attributes.clearance",
            ],
            Ty::Bytes => &["b''", "b'a'", "b'\\xc3\\xa9'", "bytes(identity.title)"],
            Ty::Map => &["{}", "{'a': 1}", "{'b': 2, 'a': 7}", "{'Analyst': 3}"],
            Ty::Ints => &["[]", "[1, 2]", "[3]", "[0, 1, 2]"],
            Ty::Texts => &["[]", "['a', 'b']", "['Analyst']", "identity.attributes.shifts"],
        };
        (*self.random.pick(leaves)).to_owned()
    }

    fn make(&mut self, ty: Ty, depth: usize) -> String {
        if depth == 0 || self.random.chance(15) {
            return self.leaf(ty);
        }
        let d = depth - 1;
        if self.random.chance(8) {
            return format!("({} ? {} : {})", self.make(Ty::Bool, d), self.make(ty, d), self.make(ty, d));
        }
        match ty {
            Ty::Bool => self.condition(d),
            Ty::Int if self.random.chance(40) => self.int(d),
            Ty::Uint if self.random.chance(20) => {
                let of = *self.random.pick(&[Ty::Int, Ty::Double, Ty::Uint]);
                format!("uint({})", self.make(of, d))
            }
            Ty::Double if self.random.chance(20) => {
                let of = *self.random.pick(&[Ty::Int, Ty::Uint, Ty::Double]);
                format!("double({})", self.make(of, d))
            }
            Ty::Text if self.random.chance(30) => {
                let of = *self.random.pick(&[Ty::Int, Ty::Uint, Ty::Bool, Ty::Text, Ty::Bytes]);
                format!("string({})", self.make(of, d))
            }
            Ty::Bytes => format!("bytes({})", self.make(Ty::Text, d)),
            Ty::Map => format!("{{'a': {}, 'Analyst': {}}}", self.make(Ty::Int, d), self.make(Ty::Int, d)),
            Ty::Int | Ty::Uint => {
                let op = *self.random.pick(&["+", "-", "*", "/", "%"]);
                format!("({} {op} {})", self.make(ty, d), self.make(ty, d))
            }
            // By what is not zero: the interpreter has no order for NaN, where the specification says false.
            Ty::Double if self.random.chance(25) => {
                let by = *self.random.pick(&["2.0", "-0.5", "1e3"]);
                format!("({} / {by})", self.make(ty, d))
            }
            Ty::Double => {
                let op = *self.random.pick(&["+", "-", "*"]);
                format!("({} {op} {})", self.make(ty, d), self.make(ty, d))
            }
            Ty::Text => format!("({} + {})", self.make(ty, d), self.make(ty, d)),
            Ty::Ints | Ty::Texts => self.list(ty, d),
        }
    }

    /// An int that comes from something else.
    fn int(&mut self, d: usize) -> String {
        match self.random.below(4) {
            0 => {
                let of = *self.random.pick(&[Ty::Int, Ty::Uint, Ty::Double]);
                format!("int({})", self.make(of, d))
            }
            1 => {
                let text = *self.random.pick(&["'12'", "'-3'", "'x'", "''", "'9223372036854775808'"]);
                format!("int({text})")
            }
            2 => format!("{}[{}]", self.make(Ty::Map, d), self.make(Ty::Text, d)),
            _ => {
                let of = *self.random.pick(&[Ty::Text, Ty::Bytes, Ty::Ints, Ty::Texts, Ty::Map]);
                format!("size({})", self.make(of, d))
            }
        }
    }

    fn list(&mut self, ty: Ty, d: usize) -> String {
        let item = if ty == Ty::Ints { Ty::Int } else { Ty::Text };
        match self.random.below(4) {
            0 => format!("({} + {})", self.make(ty, d), self.make(ty, d)),
            1 => format!("[{}, {}]", self.make(item, d), self.make(item, d)),
            which => {
                let (range, x) = (self.make(ty, d), format!("x{}", self.bound.len()));
                self.bound.push((x.clone(), item));
                let body = self.make(if which == 2 { Ty::Bool } else { item }, d);
                self.bound.pop();
                format!("{range}.{}({x}, {body})", if which == 2 { "filter" } else { "map" })
            }
        }
    }

    fn condition(&mut self, d: usize) -> String {
        match self.random.below(9) {
            0 => format!("!({})", self.make(Ty::Bool, d)),
            1 | 2 => format!("({} && {})", self.make(Ty::Bool, d), self.make(Ty::Bool, d)),
            3 | 4 => format!("({} || {})", self.make(Ty::Bool, d), self.make(Ty::Bool, d)),
            5 => {
                let op = *self.random.pick(&["==", "!=", "<", "<=", ">", ">="]);
                let numbers = [Ty::Int, Ty::Uint, Ty::Double];
                let (a, b) = (*self.random.pick(&numbers), *self.random.pick(&numbers));
                format!("({} {op} {})", self.make(a, d), self.make(b, d))
            }
            6 => {
                let ty = *self.random.pick(&[Ty::Text, Ty::Bool, Ty::Ints, Ty::Texts, Ty::Bytes, Ty::Map]);
                let op = *self.random.pick(&["==", "!="]);
                format!("({} {op} {})", self.make(ty, d), self.make(ty, d))
            }
            7 => {
                let ranges = [(Ty::Int, Ty::Ints), (Ty::Text, Ty::Texts), (Ty::Text, Ty::Map)];
                let (item, list) = *self.random.pick(&ranges);
                if self.random.chance(50) {
                    let function = *self.random.pick(&["startsWith", "endsWith", "contains"]);
                    return format!("{}.{function}({})", self.make(Ty::Text, d), self.make(Ty::Text, d));
                }
                format!("({} in {})", self.make(item, d), self.make(list, d))
            }
            _ => {
                let ranges = [(Ty::Int, Ty::Ints), (Ty::Text, Ty::Texts), (Ty::Text, Ty::Map)];
                let (item, list) = *self.random.pick(&ranges);
                let (range, x) = (self.make(list, d), format!("x{}", self.bound.len()));
                self.bound.push((x.clone(), item));
                let body = self.make(Ty::Bool, d);
                self.bound.pop();
                let name = *self.random.pick(&["all", "exists", "exists_one"]);
                format!("{range}.{name}({x}, {body})")
            }
        }
    }
}

/// Ada, as the interpreter reads her.
fn context() -> Context<'static, 'static> {
    let text = |t: &str| Value::from(t);
    let texts = |list: &[&str]| Value::List(list.iter().map(|t| Value::from(*t)).collect::<Vec<_>>().into());
    let map = |entries: Vec<(&str, Value)>| -> Value {
        entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<HashMap<String, Value>>().into()
    };
    let identity = map(vec![
        ("type", text("Person")),
        ("userName", text("ada")),
        ("title", text("Analyst")),
        ("department", text("Engineering")),
        ("division", text("")),
        ("name", map(vec![("given", text("Ada"))])),
        ("attributes", map(vec![("clearance", text("secret")), ("shifts", texts(&["early", "late"]))])),
    ]);
    let mut context = Context::default();
    context.add_variable_from_value("identity", identity);
    context
}

fn render(value: &Value) -> String {
    match value {
        Value::Int(i) => i.to_string(),
        Value::UInt(u) => format!("{u}u"),
        Value::Float(d) => format!("{d:?}"),
        Value::String(s) => format!("'{s}'"),
        Value::Bool(b) => b.to_string(),
        Value::Null => "null".to_owned(),
        Value::Bytes(bytes) => format!("b'{}'", bytes.escape_ascii()),
        Value::List(list) => format!("[{}]", list.iter().map(render).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let mut entries: Vec<_> =
                map.map.iter().map(|(key, value)| format!("{}: {}", render(&key.into()), render(value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn generated_expressions_come_to_what_the_interpreter_says() {
    let context = context();
    for seed in seeds() {
        let mut random = Random::new(seed);
        let (mut values, mut failures) = (0, 0);
        for _ in 0..ROUNDS {
            let types = [Ty::Int, Ty::Uint, Ty::Double, Ty::Text, Ty::Bytes, Ty::Ints, Ty::Texts, Ty::Map];
            let ty = if random.chance(20) { Ty::Bool } else { *random.pick(&types) };
            let depth = 1 + random.below(4);
            let source = Generator { random: &mut random, bound: Vec::new() }.make(ty, depth);
            let huge = source.contains("18446744073709551615") || source.contains("922337203685477580");
            if huge && source.contains("double(") {
                continue;
            }
            let found = result(&source);
            assert!(
                !found.starts_with("refused") || found.contains("nested"),
                "PROVOST_SEED={seed}: {source}\n{found}"
            );
            if found.starts_with("refused") {
                continue;
            }
            let expected = match Program::compile(&source).expect("the parser is the same").execute(&context) {
                Ok(value) => render(&value),
                Err(_) => "failed".to_owned(),
            };
            let found = if found.starts_with("failed") { "failed".to_owned() } else { found };
            assert_eq!(found, expected, "PROVOST_SEED={seed}: {source}");
            if found == "failed" {
                failures += 1;
            } else {
                values += 1;
            }
        }
        // Neither kind is rare enough to prove nothing.
        assert!(values > ROUNDS / 3 && failures > ROUNDS / 50, "{values} values, {failures} failures");
        tell(&format!("{values} values and {failures} failures as the interpreter has them, seed {seed}"));
    }
}

#[test]
fn a_trace_comes_to_what_evaluation_does_and_terms_hold_where_a_rule_is_true() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let (mut held, mut with_terms) = (0, 0);
        for _ in 0..ROUNDS {
            let depth = 1 + random.below(3);
            let mut parts = vec![Generator { random: &mut random, bound: Vec::new() }.make(Ty::Bool, depth)];
            for _ in 0..random.below(3) {
                parts.push((*random.pick(CLAUSES)).to_owned());
            }
            let source = parts.join(if random.chance(85) { " && " } else { " || " });
            let mut scope = Scope { group: &mut super::group };
            // Only the checks of the language: absence is not the matter here.
            let Ok(rule) = compile(&source, Site::GroupMatch, &mut scope)
                .or_else(|_| compile(&source, Site::PolicyMatch(crate::model::Effect::Deny), &mut scope))
            else {
                continue;
            };
            with_facts(|facts| {
                let outcome = matches(&rule, facts, &mut Cost::default());
                let trace = trace(&rule, facts);
                let truth = match trace.truth {
                    crate::policy::Truth::True => Some(true),
                    crate::policy::Truth::False => Some(false),
                    crate::policy::Truth::Unknown => None,
                };
                assert_eq!(truth, outcome.as_ref().ok().copied(), "PROVOST_SEED={seed}: {source}");
                let whole = &trace.parts[0].span;
                for part in &trace.parts {
                    let within = whole.start <= part.span.start && part.span.end <= whole.end;
                    assert!(within && source.get(part.span.clone()).is_some(), "PROVOST_SEED={seed}: {source}");
                }
                if outcome == Ok(true) {
                    held += 1;
                    with_terms += usize::from(!rule.terms().is_empty());
                    for term in rule.terms() {
                        assert!(term.holds(facts), "PROVOST_SEED={seed}: {source}: {term:?}");
                    }
                }
            });
        }
        assert!(held > ROUNDS / 20 && with_terms > ROUNDS / 50, "{held} true, {with_terms} with terms");
    }
}

const CLAUSES: &[&str] = &[
    "identity.department == 'Engineering'",
    "'Engineering' == identity.department",
    "identity.department in ['Engineering', 'Sales']",
    "identity.title.startsWith('Ana')",
    "identity.attributes.clearance == 'secret'",
    "identity.attributes.clearance in ['secret', 'top']",
    "identity.attributes.clearance.startsWith('sec')",
    "identity.attributes.shifts == ['early', 'late']",
    "identity.division == ''",
    "identity.externalId == 'E-1001'",
    "identity.userName in ['ada', 'bob']",
    "identity.type == 'Person'",
    "identity.state == 'Active'",
    "'sre' in identity.groups",
    "'missing' in identity.groups",
    "!('contractors' in identity.groups)",
    "identity.department != 'Sales'",
];
