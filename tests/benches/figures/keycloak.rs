//! Keycloak: what a realm of 500 users, 20 groups and 1,000 memberships is asked, and how long it takes.

use tests::realm::{GROUPS, USERS, asked};
use tests::servers::Keycloak;

use crate::table::Table;

pub fn measure(table: &mut Table) {
    if !tests::servers::cache().join("keycloak/server").exists() {
        return table.missing("Keycloak", "make setup prepares it");
    }
    let server = Keycloak::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let lines = runtime.block_on(asked(&server));
    for (at, line) in lines.iter().enumerate() {
        let whose = if at == 0 {
            format!("Keycloak, {USERS} users, {GROUPS} groups, {} memberships: ", 2 * USERS)
        } else {
            "  ".to_owned()
        };
        let what = format!("{whose}{}: requests", line.what);
        let requests = f64::from(u32::try_from(line.requests).unwrap());
        match at {
            1 => table.below(what, requests, 50.0, ""),
            _ => table.shown(what, requests, ""),
        }
        table.shown("    of these writes", f64::from(u32::try_from(line.writes).unwrap()), "");
        table.shown("    time", line.time.as_secs_f64(), "s");
    }
}
