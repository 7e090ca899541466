//! The figures of docs/performance.md, measured in one run and printed as one table.
//!
//! `make bench`, or `cargo bench -p tests --bench figures [-- NAME...]`; names: rule, directory, application, store,
//! journal, hostile, throughput, ldap,
//! keycloak. Timed by a clock of its own: most of it is too long, or counts something else than time.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a benchmark that cannot go on fails; it reports by printing"
)]

mod account;
mod clock;
mod counting;
mod creating;
mod directory;
mod hostile;
mod journal;
mod keycloak;
mod ldap;
mod ldap_bare;
mod meter;
mod rule;
mod store;
mod table;
mod throughput;
mod world;

use table::Table;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// A name to ask for it, and what measures it.
type Part = (&'static str, fn(&mut Table));

const PARTS: [Part; 9] = [
    ("rule", rule::measure),
    ("directory", directory::measure),
    ("application", account::measure),
    ("store", store::measure),
    ("journal", journal::measure),
    ("hostile", hostile::measure),
    ("throughput", throughput::measure),
    ("ldap", ldap::measure),
    ("keycloak", keycloak::measure),
];

fn main() {
    // `cargo bench` passes --bench.
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut table = Table::default();
    for (name, measure) in PARTS {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            eprintln!("{name}");
            counting::count(matches!(name, "rule" | "directory" | "application"));
            measure(&mut table);
        }
    }
    println!("\n{table}");
}
