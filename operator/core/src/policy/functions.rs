//! The functions of the language: what they take and give. What they do is in `call`, `strings` and `time`.

use super::types::Type;

use Function as F;
use Takes::{Any, Bool, Bytes, Double, Duration, Int, List, Map, Optional, Text, Texts, Timestamp, Uint};

/// A function, after its overloads are resolved as far as the types are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    Trim,
    Replace,
    Split,
    Join,
    Substring,
    CharAt,
    IndexOf,
    Ascii,
    Slug,
    ToInt,
    ToUint,
    ToDouble,
    ToText,
    ToBytes,
    ToBool,
    ToTimestamp,
    ToDuration,
    ToDyn,
    TypeOf,
    Year,
    Month,
    DayOfMonth,
    Date,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
    OptionalOf,
    OptionalNone,
    OptionalOfNonZero,
    HasValue,
    ValueOf,
    Or,
    OrValue,
    PrimaryEmail,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Any,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Timestamp,
    Duration,
    List,
    Texts,
    Map,
    Optional,
}

impl Takes {
    pub fn accepts(self, found: &Type) -> bool {
        if *found == Type::Dyn {
            return true;
        }
        match self {
            Self::Any => true,
            Self::List => matches!(found, Type::List(_)),
            Self::Map => matches!(found, Type::Map(..)),
            Self::Optional => matches!(found, Type::Optional(_)),
            Self::Texts => found.fits(&Type::list(Type::Text)),
            _ => *found == self.ty(),
        }
    }

    pub fn ty(self) -> Type {
        match self {
            Self::Any => Type::Dyn,
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Uint => Type::Uint,
            Self::Double => Type::Double,
            Self::Text => Type::Text,
            Self::Bytes => Type::Bytes,
            Self::Timestamp => Type::Timestamp,
            Self::Duration => Type::Duration,
            Self::List => Type::list(Type::Dyn),
            Self::Texts => Type::list(Type::Text),
            Self::Map => Type::map(Type::Dyn, Type::Dyn),
            Self::Optional => Type::optional(Type::Dyn),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::Text => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::List => "list",
            Self::Texts => "list of string",
            Self::Map => "map",
            Self::Optional => "optional",
        }
    }
}

/// One way to call a function. For a method, the first parameter is what it is called on.
#[derive(Debug)]
pub(super) struct Overload {
    pub name: &'static str,
    pub method: bool,
    pub function: Function,
    pub takes: &'static [Takes],
    pub gives: Takes,
}

impl Overload {
    /// `string.replace(string, string)`.
    pub fn signature(&self) -> String {
        let mut takes = self.takes.iter().map(|t| t.name());
        let on = if self.method { takes.next().map(|t| format!("{t}.")).unwrap_or_default() } else { String::new() };
        format!("{on}{}({})", self.name, takes.collect::<Vec<_>>().join(", "))
    }
}

const fn global(name: &'static str, function: Function, takes: &'static [Takes], gives: Takes) -> Overload {
    Overload { name, method: false, function, takes, gives }
}

const fn method(name: &'static str, function: Function, takes: &'static [Takes], gives: Takes) -> Overload {
    Overload { name, method: true, function, takes, gives }
}

/// Every function but `matches`, whose pattern is compiled with the rule.
pub(super) const OVERLOADS: &[Overload] = &[
    global("size", F::Size, &[Text], Int),
    global("size", F::Size, &[Bytes], Int),
    global("size", F::Size, &[List], Int),
    global("size", F::Size, &[Map], Int),
    method("size", F::Size, &[Text], Int),
    method("size", F::Size, &[Bytes], Int),
    method("size", F::Size, &[List], Int),
    method("size", F::Size, &[Map], Int),
    method("contains", F::Contains, &[Text, Text], Bool),
    method("startsWith", F::StartsWith, &[Text, Text], Bool),
    method("endsWith", F::EndsWith, &[Text, Text], Bool),
    method("lowerAscii", F::LowerAscii, &[Text], Text),
    method("upperAscii", F::UpperAscii, &[Text], Text),
    method("trim", F::Trim, &[Text], Text),
    method("replace", F::Replace, &[Text, Text, Text], Text),
    method("replace", F::Replace, &[Text, Text, Text, Int], Text),
    method("split", F::Split, &[Text, Text], Texts),
    method("split", F::Split, &[Text, Text, Int], Texts),
    method("join", F::Join, &[Texts], Text),
    method("join", F::Join, &[Texts, Text], Text),
    method("substring", F::Substring, &[Text, Int], Text),
    method("substring", F::Substring, &[Text, Int, Int], Text),
    method("charAt", F::CharAt, &[Text, Int], Text),
    method("indexOf", F::IndexOf, &[Text, Text], Int),
    method("indexOf", F::IndexOf, &[Text, Text, Int], Int),
    global("ascii", F::Ascii, &[Text], Text),
    global("slug", F::Slug, &[Text], Text),
    global("int", F::ToInt, &[Int], Int),
    global("int", F::ToInt, &[Uint], Int),
    global("int", F::ToInt, &[Double], Int),
    global("int", F::ToInt, &[Text], Int),
    global("int", F::ToInt, &[Timestamp], Int),
    global("uint", F::ToUint, &[Int], Uint),
    global("uint", F::ToUint, &[Uint], Uint),
    global("uint", F::ToUint, &[Double], Uint),
    global("uint", F::ToUint, &[Text], Uint),
    global("double", F::ToDouble, &[Int], Double),
    global("double", F::ToDouble, &[Uint], Double),
    global("double", F::ToDouble, &[Double], Double),
    global("double", F::ToDouble, &[Text], Double),
    global("string", F::ToText, &[Text], Text),
    global("string", F::ToText, &[Bool], Text),
    global("string", F::ToText, &[Int], Text),
    global("string", F::ToText, &[Uint], Text),
    global("string", F::ToText, &[Double], Text),
    global("string", F::ToText, &[Bytes], Text),
    global("string", F::ToText, &[Timestamp], Text),
    global("string", F::ToText, &[Duration], Text),
    global("bytes", F::ToBytes, &[Bytes], Bytes),
    global("bytes", F::ToBytes, &[Text], Bytes),
    global("bool", F::ToBool, &[Bool], Bool),
    global("bool", F::ToBool, &[Text], Bool),
    global("timestamp", F::ToTimestamp, &[Timestamp], Timestamp),
    global("timestamp", F::ToTimestamp, &[Text], Timestamp),
    global("timestamp", F::ToTimestamp, &[Int], Timestamp),
    global("duration", F::ToDuration, &[Duration], Duration),
    global("duration", F::ToDuration, &[Text], Duration),
    global("dyn", F::ToDyn, &[Any], Any),
    global("type", F::TypeOf, &[Any], Any),
    method("getFullYear", F::Year, &[Timestamp], Int),
    method("getFullYear", F::Year, &[Timestamp, Text], Int),
    method("getMonth", F::Month, &[Timestamp], Int),
    method("getMonth", F::Month, &[Timestamp, Text], Int),
    method("getDayOfMonth", F::DayOfMonth, &[Timestamp], Int),
    method("getDayOfMonth", F::DayOfMonth, &[Timestamp, Text], Int),
    method("getDate", F::Date, &[Timestamp], Int),
    method("getDate", F::Date, &[Timestamp, Text], Int),
    method("getDayOfWeek", F::DayOfWeek, &[Timestamp], Int),
    method("getDayOfWeek", F::DayOfWeek, &[Timestamp, Text], Int),
    method("getDayOfYear", F::DayOfYear, &[Timestamp], Int),
    method("getDayOfYear", F::DayOfYear, &[Timestamp, Text], Int),
    method("getHours", F::Hours, &[Timestamp], Int),
    method("getHours", F::Hours, &[Timestamp, Text], Int),
    method("getHours", F::Hours, &[Duration], Int),
    method("getMinutes", F::Minutes, &[Timestamp], Int),
    method("getMinutes", F::Minutes, &[Timestamp, Text], Int),
    method("getMinutes", F::Minutes, &[Duration], Int),
    method("getSeconds", F::Seconds, &[Timestamp], Int),
    method("getSeconds", F::Seconds, &[Timestamp, Text], Int),
    method("getSeconds", F::Seconds, &[Duration], Int),
    method("getMilliseconds", F::Milliseconds, &[Timestamp], Int),
    method("getMilliseconds", F::Milliseconds, &[Timestamp, Text], Int),
    method("getMilliseconds", F::Milliseconds, &[Duration], Int),
    global("optional.of", F::OptionalOf, &[Any], Optional),
    global("optional.none", F::OptionalNone, &[], Optional),
    global("optional.ofNonZeroValue", F::OptionalOfNonZero, &[Any], Optional),
    method("hasValue", F::HasValue, &[Optional], Bool),
    method("value", F::ValueOf, &[Optional], Any),
    method("or", F::Or, &[Optional, Optional], Optional),
    method("orValue", F::OrValue, &[Optional, Any], Any),
];

/// Functions and macros of CEL and of its usual extensions that are left out, and what to do instead.
pub(super) const LEFT_OUT: &[(&str, &str)] = &[
    ("now", "there is no clock in rules: use lifecycle.startTime and endTime, notBefore and notAfter, or leadTime"),
    ("format", "join texts with +"),
    ("lastIndexOf", "use split()"),
    ("reverse", "it has no use in rules yet"),
    ("quote", "it has no use in rules yet"),
    ("bind", "write the expression where it is used"),
    ("sort", "lists are compared without order at the target"),
    ("distinct", "it has no use in rules yet"),
    ("flatten", "it has no use in rules yet"),
    ("slice", "it has no use in rules yet"),
    ("range", "it has no use in rules yet"),
    ("encode", "base64 and other encoders are left out"),
    ("decode", "base64 and other encoders are left out"),
];

/// Macros called on a list, a map or an optional, with the numbers of arguments they take.
pub(super) const MACROS: &[(&str, &[usize])] = &[
    ("all", &[2, 3]),
    ("exists", &[2, 3]),
    ("exists_one", &[2, 3]),
    ("existsOne", &[2, 3]),
    ("map", &[2, 3]),
    ("filter", &[2]),
    ("transformList", &[3, 4]),
    ("transformMap", &[3, 4]),
    ("transformMapEntry", &[3, 4]),
    ("optMap", &[2]),
    ("optFlatMap", &[2]),
];
