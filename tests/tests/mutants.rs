//! Each rule that is broken by hand still applies to the code as it is now, and names a test that is there. `make mutants`
//! breaks them.

use std::collections::BTreeSet;
use std::path::Path;

use tests::mutants::{Mutant, all, root};

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(root().join(path)).map_err(|error| format!("{}: {error}", path.display()))
}

fn checked(mutant: &Mutant) -> Result<(), String> {
    mutant.broken(&read(&mutant.file)?)?;
    let killer = format!("fn {}(", mutant.killer);
    if read(&mutant.tests)?.contains(&killer) { Ok(()) } else { Err(format!("no {killer}) in its `tests`")) }
}

#[test]
fn every_breakage_applies_in_one_place_and_names_a_test_that_is_there() {
    let wrong =
        |mutant: &Mutant| checked(mutant).err().map(|what| format!("tests/mutants/{}.yaml: {what}", mutant.name));
    assert_eq!(all().iter().filter_map(wrong).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_breakage_that_does_not_apply_or_changes_nothing_is_told() {
    let mutant = all().remove(0);
    let same = Mutant { replace: mutant.find.clone(), ..mutant.clone() };
    assert!(same.broken(&same.find).is_err());
    assert!(mutant.broken("").is_err() && mutant.broken(&mutant.find.repeat(2)).is_err());
    assert_eq!(mutant.broken(&mutant.find), Ok(mutant.replace));
}

#[test]
fn there_are_at_least_twenty_and_no_two_are_the_same() {
    let all = all();
    let different: BTreeSet<_> = all.iter().map(|mutant| (&mutant.file, &mutant.find, &mutant.replace)).collect();
    assert!(different.len() == all.len() && all.len() >= 20, "{} of {}", different.len(), all.len());
}
