//! Rules written to hurt, for the tests of bounds and for the figures: every shape of nesting and chaining, the longest
//! sources, patterns that explode, macros and texts that grow, and what makes looking for absence costly.

/// A name, and the source.
pub type Hostile = (&'static str, String);

const TEN: &str = "[0,1,2,3,4,5,6,7,8,9]";
/// The longest source that the schema lets through, in characters.
const LONGEST: usize = 4096;

fn nested(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

/// The longest of its shape that the schema lets through.
fn longest(make: impl Fn(usize) -> String) -> String {
    (1..=LONGEST).map(make).take_while(|source| source.len() <= LONGEST).last().unwrap_or_default()
}

/// A shape: its name, and the source that repeats it so many times.
pub type Shape = (&'static str, fn(usize) -> String);

/// What is nested or chained.
pub const DEEP: &[Shape] = &[
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
    ("negated fields", |n| nested("!(", "identity.title==''", ")", n)),
    ("conditionals of fields", |n| nested("(identity.title==''?", "true", ":identity.department!='')", n)),
];

/// The longest sources.
pub const LONG: &[Shape] = &[
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
    ("one text of wide characters", |n| format!("'{}'", "\u{1F600}".repeat(n))),
    ("nothing but quotes", |n| "'".repeat(n)),
    ("nothing but backslashes", |n| "\\".repeat(n)),
    ("nothing but brackets", |n| "([{".repeat(n)),
    ("nothing but operators", |n| "&&||!".repeat(n)),
];

/// Patterns that grow when they are compiled or matched.
pub const PATTERNS: &[&str] = &[
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
];

/// Rules that cost, or make, exponentially much.
pub fn growing() -> Vec<Hostile> {
    let shared = format!("[[1]]{}", ".map(x, [x, x])".repeat(40));
    let replaced = |times: usize| format!("'aaaaaaaa'{}", ".replace('a', 'aaaaaaaa')".repeat(times));
    vec![
        ("a product of ranges", format!("{}true{}", format!("{TEN}.all(x, ").repeat(9), ")".repeat(9))),
        ("texts doubled", format!("['aaaaaaaaaaaaaaaa']{}", ".map(x, x + x)".repeat(40))),
        ("shared parts compared", format!("[{shared}, {shared}].map(x, 1) == [1, 1] && {shared} == {shared}")),
        ("texts replaced", replaced(20)),
        ("texts split", format!("{}.split('')", replaced(4))),
        ("a list joined", format!("{TEN}.map(x, 'aaaaaaaaaa').join('{}')", "b".repeat(2000))),
        ("lists of lists", format!("[1]{}", ".map(x, [x, x, x, x])".repeat(20))),
        ("lists added", format!("[[1, 1]]{}", ".map(x, x + x)".repeat(30))),
        ("a text compared", format!("{} == ''", replaced(8))),
    ]
}

/// Conditions that make it costly to tell what absence of a field does.
pub fn absent() -> Vec<Hostile> {
    let costly = format!("{}d<20{}", ["a", "b", "c", "d"].map(|x| format!("{TEN}.all({x},")).concat(), ")".repeat(4));
    let fields = |many: usize, clause: &str, join: &str| {
        (0..many).map(|n| clause.replace('#', &n.to_string())).collect::<Vec<_>>().join(join)
    };
    let constants = [costly.as_str(); 12].join("&&");
    let negated = nested("!(", &format!("{constants}&&{}", fields(78, "identity.attributes.x#!=''", "&&")), ")", 18);
    let over =
        |range: &str| format!("{}identity.attributes.x!=''{}", format!("{range}.all(x,").repeat(20), ")".repeat(20));
    vec![
        ("costly constants beside many fields", negated),
        ("many fields, any of them", longest(|n| fields(n, "identity.attributes.x#!=''", "||"))),
        ("many fields, all of them", longest(|n| fields(n, "identity.attributes.x#==''", "&&"))),
        (
            "many fields under negations",
            longest(|n| nested("!(", &fields(n, "identity.attributes.x#==''", "||"), ")", 20)),
        ),
        (
            "many conditionals",
            longest(|n| fields(n, "(identity.attributes.x#==''?true:identity.attributes.y#!='')", "&&")),
        ),
        ("macros over an absent list", over("identity.emails")),
        ("macros over constants", over("[1,2]")),
        (
            "a costly look at one field",
            format!("{TEN}.all(a,{TEN}.all(b,{TEN}.all(c,{TEN}.all(d,{TEN}.all(e,identity.title=='')))))"),
        ),
        (
            "one text, grown from a field",
            format!("(identity.title+'aaaaaaaa'){}!=''", ".replace('a','aaaaaaaa')".repeat(20)),
        ),
        ("a pattern on many fields", longest(|n| fields(n, "identity.attributes.x#.matches('(a*)*b')", "||"))),
    ]
}

/// All of them; of what is nested or chained, a depth that passes, one at the limits and the longest source.
pub fn all() -> Vec<Hostile> {
    let mut all: Vec<Hostile> = Vec::new();
    for (name, make) in DEEP {
        all.extend([8, 24, 96].map(|times| (*name, make(times))));
        all.push((*name, longest(make)));
    }
    all.extend(LONG.iter().map(|(name, make)| (*name, longest(make))));
    let text = "a".repeat(2000);
    all.extend(PATTERNS.iter().map(|pattern| (*pattern, format!("'{text}'.matches('{pattern}')"))));
    all.extend(PATTERNS.iter().map(|pattern| (*pattern, format!("identity.title.matches('{pattern}')"))));
    all.extend(growing());
    all.extend(absent());
    all
}
