//! A table whose columns are named as the fields of an Identity.

use std::sync::Arc;

use jiff::Timestamp;

use super::csv::{Cell, Misplaced, records};
use super::draft::Draft;
use super::people::{LINE, Manager, Person};
use crate::model::{Contact, Custom, Field, IdentityType};
use crate::policy::Told;

/// What parts the values of a cell that holds several.
const BETWEEN: char = ';';

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    Type,
    UserName,
    ExternalId,
    Text(Field),
    Emails,
    PhoneNumbers,
    Manager,
    Groups,
    StartTime,
    EndTime,
    Suspended,
    Custom(Arc<str>),
}

/// Every name of a column but those of single texts, which are [`Field::ALL`], and of own attributes.
const NAMES: &[(&str, Column)] = &[
    ("userName", Column::UserName),
    ("externalId", Column::ExternalId),
    ("type", Column::Type),
    ("givenName", Column::Text(Field::GivenName)),
    ("familyName", Column::Text(Field::FamilyName)),
    ("middleName", Column::Text(Field::MiddleName)),
    ("email", Column::Emails),
    ("emails", Column::Emails),
    ("phoneNumber", Column::PhoneNumbers),
    ("phoneNumbers", Column::PhoneNumbers),
    ("manager", Column::Manager),
    ("groups", Column::Groups),
    ("startTime", Column::StartTime),
    ("endTime", Column::EndTime),
    ("suspended", Column::Suspended),
];

/// What begins the name of a column of an own attribute.
const OWN: &str = "attributes.";

/// Somebody, and the groups that the row names.
#[derive(Debug)]
pub(super) struct Row {
    pub person: Person,
    pub groups: Vec<Arc<str>>,
}

/// Everybody in a table, or everything that is wrong with it: what its columns are must be known for the rest.
pub(super) fn rows(text: &str) -> Result<Vec<Row>, Vec<Misplaced>> {
    by_commas(text).map_err(|misplaced| vec![misplaced])?;
    let mut records = records(text).map_err(|misplaced| vec![misplaced])?.into_iter();
    let Some(header) = records.next() else {
        let message = "the table is empty; its first line must name the columns, as in userName,email,department";
        return Err(vec![Misplaced { line: 1, column: 1, message: message.to_owned() }]);
    };
    let columns = columns(&header)?;
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for cells in records {
        match row(&columns, &cells) {
            Ok(row) => rows.push(row),
            Err(mut here) => wrong.append(&mut here),
        }
    }
    if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
}

/// Told before anything else: to read cells that are parted otherwise finds faults with them that are none.
fn by_commas(text: &str) -> Result<(), Misplaced> {
    let first = text.lines().enumerate().find(|(_, line)| !line.trim().is_empty());
    match first {
        Some((at, line)) if line.contains(BETWEEN) && !line.contains(',') => Err(Misplaced {
            line: at + 1,
            column: 1,
            message:
                "the columns are parted by semicolons; part them by commas (semicolons part the values within a cell), \
                      and put cells with commas in quotes"
                    .to_owned(),
        }),
        _ => Ok(()),
    }
}

fn columns(header: &[Cell]) -> Result<Vec<Column>, Vec<Misplaced>> {
    let mut columns: Vec<Column> = Vec::with_capacity(header.len());
    let mut wrong = Vec::new();
    for cell in header {
        match column(cell) {
            Ok(column) if columns.contains(&column) => {
                wrong.push(cell.wrong(format!("the column {} is there twice; leave one out", cell.text.trim())));
            }
            Ok(column) => columns.push(column),
            Err(misplaced) => wrong.push(misplaced),
        }
    }
    if !columns.contains(&Column::UserName) {
        let message = "no column is named userName; name the one by which people log in so";
        wrong.extend(header.first().map(|cell| cell.wrong(message)));
    }
    if wrong.is_empty() { Ok(columns) } else { Err(wrong) }
}

fn column(cell: &Cell) -> Result<Column, Misplaced> {
    let name = cell.text.trim();
    let known = || NAMES.iter().find(|(known, _)| *known == name).map(|(_, column)| column.clone());
    let text = || Field::ALL.iter().find(|(_, path)| *path == name).map(|(field, _)| Column::Text(*field));
    let own = || name.strip_prefix(OWN).filter(|own| !own.is_empty()).map(|own| Column::Custom(own.into()));
    known().or_else(text).or_else(own).ok_or_else(|| {
        let fields = Field::ALL.iter().map(|(_, path)| *path).filter(|path| !path.contains('.'));
        let all: Vec<&str> = NAMES.iter().map(|(name, _)| *name).chain(fields).collect();
        let of_own = format!("attributes.{}", if name.is_empty() { "NAME" } else { name });
        cell.wrong(format!("{name:?} is no column of an Identity; name it {of_own}, or one of {}", all.join(", ")))
    })
}

fn row(columns: &[Column], cells: &[Cell]) -> Result<Row, Vec<Misplaced>> {
    if let Some(cell) = cells.get(columns.len()) {
        return Err(vec![cell.wrong(format!("{}; put cells with commas in quotes", numbers(cells, columns)))]);
    }
    // A record has one cell at least.
    if let Some(last) = cells.last().filter(|_| cells.len() < columns.len()) {
        return Err(vec![last.wrong(format!("{}; write the empty ones, too", numbers(cells, columns)))]);
    }
    let line = cells.first().map_or(0, |cell| cell.line);
    let mut draft = Draft::default();
    let (mut manager, mut groups, mut wrong) = (None, Vec::new(), Vec::new());
    for (column, cell) in columns.iter().zip(cells) {
        let text = cell.text.trim();
        if text.is_empty() {
            continue;
        }
        match column {
            Column::Manager => manager = Some(Manager::Name(text.into())),
            Column::Groups => groups = several(text),
            column => wrong.extend(fill(&mut draft, column, cell, text).err()),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(Row {
        person: Person { id: format!("{LINE}{line}").into(), called: None, draft, manager, untaken: Vec::new() },
        groups,
    })
}

/// "there is 1 cell here and 2 columns".
fn numbers(cells: &[Cell], columns: &[Column]) -> String {
    let cells = if cells.len() == 1 { "is 1 cell".to_owned() } else { format!("are {} cells", cells.len()) };
    let columns = if columns.len() == 1 { "1 column".to_owned() } else { format!("{} columns", columns.len()) };
    format!("there {cells} here and {columns}")
}

fn fill(draft: &mut Draft, column: &Column, cell: &Cell, text: &str) -> Result<(), Misplaced> {
    match column {
        Column::Type => draft.kind = kind(cell, text)?,
        Column::UserName => draft.user_name = Some(text.into()),
        Column::ExternalId => draft.external_id = Some(text.into()),
        Column::Text(field) => draft.take(Told::Text(*field, text.into())),
        Column::Emails => {
            // The first is the one to use, where there are several.
            let primary = |at: usize| (at == 0).then_some(true);
            let one = |(at, value)| Contact { value, kind: None, primary: primary(at) };
            draft.take(Told::Emails(several(text).into_iter().enumerate().map(one).collect()));
        }
        Column::PhoneNumbers => {
            let one = |value| Contact { value, kind: None, primary: None };
            draft.take(Told::PhoneNumbers(several(text).into_iter().map(one).collect()));
        }
        Column::StartTime => draft.lifecycle.start = Some(time(cell, text)?),
        Column::EndTime => draft.lifecycle.end = Some(time(cell, text)?),
        Column::Suspended => draft.lifecycle.suspended = truth(cell, text)?,
        Column::Custom(name) => {
            let values = several(text);
            let value = match values.as_slice() {
                [one] => Custom::One(Arc::clone(one)),
                _ => Custom::Many(values.into()),
            };
            draft.take(Told::Custom(Arc::clone(name), value));
        }
        Column::Manager | Column::Groups => {}
    }
    Ok(())
}

fn several(text: &str) -> Vec<Arc<str>> {
    text.split(BETWEEN).map(str::trim).filter(|part| !part.is_empty()).map(Arc::from).collect()
}

fn kind(cell: &Cell, text: &str) -> Result<IdentityType, Misplaced> {
    let all = [IdentityType::Person, IdentityType::Service, IdentityType::Agent];
    all.into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| cell.wrong(format!("{text:?} is no type; write Person, Service or Agent")))
}

fn time(cell: &Cell, text: &str) -> Result<Timestamp, Misplaced> {
    text.parse().map_err(|_| cell.wrong(format!("{text:?} is no time; write it as 2026-12-01T08:00:00Z")))
}

fn truth(cell: &Cell, text: &str) -> Result<bool, Misplaced> {
    // Spreadsheets write TRUE.
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(cell.wrong(format!("{text:?} is neither true nor false; write one of them"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_table_is_told_by_line_and_column() {
        for (text, line, column, said) in [
            ("", 1, 1, "is empty"),
            ("email\na@b", 1, 1, "no column is named userName"),
            ("userName,departmnt\na,b", 1, 10, "\"departmnt\" is no column"),
            ("userName,email,emails\n", 1, 16, "is there twice"),
            ("userName,title\nada", 2, 1, "1 cell here and 2 columns"),
            ("userName,title\nada,x,y", 2, 7, "3 cells here and 2 columns"),
            ("userName,title\nada,\"x\nbob,y\n", 2, 5, "never closed"),
            ("userName,title\nada,x\"y", 2, 5, "a quote stands within"),
            ("userName,title\nada,\"x\"y", 2, 5, "after the closing quote"),
            ("userName,title,suspended\nada,\"x\ny\",maybe\n", 3, 4, "neither true nor false"),
            ("userName,endTime\nada,2027-01-01\n", 2, 5, "is no time"),
            ("userName,type\nada,Robot\n", 2, 5, "is no type"),
        ] {
            let error = rows(text).unwrap_err().remove(0);
            assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
            assert!(error.message.contains(said), "{text:?}: {error}");
        }
    }

    #[test]
    fn everything_that_is_wrong_with_a_table_is_told_at_once() {
        let wrong = |text: &str| rows(text).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>();
        let [titel, nobody, twice] = &wrong("titel,email,email\n,,\n")[..] else { panic!("three") };
        assert!(
            titel.starts_with("1:1: \"titel\" is no column") && nobody.starts_with("1:13: the column email"),
            "{titel}"
        );
        assert!(twice.starts_with("1:1: no column is named userName"), "{twice}");
        let table = "userName,suspended,endTime,type\nada,TRUE,,Person\nbob,no,2026-12-31,Robot\ncyn\n";
        let expected = [
            "3:5: \"no\" is neither true nor false; write one of them",
            "3:8: \"2026-12-31\" is no time; write it as 2026-12-01T08:00:00Z",
            "3:19: \"Robot\" is no type; write Person, Service or Agent",
            "4:1: there is 1 cell here and 4 columns; write the empty ones, too",
        ];
        assert_eq!(wrong(table), expected);
    }
}
