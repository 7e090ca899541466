//! What is told of somebody suspended, who keeps the account that they have.

use super::*;
use crate::model::{AccessPolicy, PolicyMode};

fn suspended(name: &str) -> Change {
    person_with(name, "Engineering", |who| who.lifecycle.suspended = true)
}

fn denied() -> Change {
    deny("no-wiki", &[who("eve")], None, "wiki", &[])
}

/// Engineers, with Eve suspended or not, denied or not.
fn version(with: Vec<Change>) -> Directory {
    namespace(acme().into_iter().chain(with).collect())
}

#[test]
fn of_somebody_suspended_whom_a_deny_concerns_nobody_says_that_there_is_no_account() {
    let mut directory = version(vec![suspended("eve"), denied()]);
    let said = text::plan(&plan(&directory));
    assert_eq!(
        said,
        "wiki  1 account\n  account  ada\n  admin    (privileged) nobody\n  editor   ada\n  \
           account  kept as it is for eve: suspended, and denied by no-wiki: one that is\n                                  \
                    there stays, disabled, until the suspension\n                                  ends\n"
    );
    assert_eq!(
        text::who_can(&who_can(&directory, &"wiki".into(), None)),
        "ada  has       engineers-wiki\neve  unknown   engineers-wiki (suspended: what is there stays)\n"
    );
    let editors = who_can(&directory, &"wiki".into(), Some(&"editor".into()));
    assert_eq!(text::who_can(&editors), "ada  has       engineers-wiki\n", "what a Deny takes is taken");
    let all = text::why(&why(&mut directory, &"eve".into(), None, None), &located);
    assert!(all.contains("\nwiki                      unknown   suspended, and denied by no-wiki\n"), "{all}");
    let editor = explained(&mut directory, "eve", Some("editor"));
    assert!(editor.contains("\neve does not have wiki/editor\n"), "{editor}");

    let answer = why(&mut directory, &"eve".into(), Some(&"wiki".into()), None);
    let account = text::why(&answer.alone(&answer.rights[0]), &located);
    let words = "\nwhether eve has an account in wiki cannot be told: one that is there stays,\n\
                 disabled, until the suspension ends\n";
    assert!(account.contains(words) && account.contains("denied as above"), "{account}");
}

#[test]
fn of_somebody_suspended_to_whom_no_policy_gives_an_account_it_is_told_what_becomes_of_one() {
    let mut directory = version(vec![person_with("bob", "Sales", |bob| bob.lifecycle.suspended = true)]);
    let said = explained(&mut directory, "bob", None);
    let words =
        "\nbob is not given an account in wiki; one that is there stays, disabled, until\nthe suspension ends\n";
    assert!(said.contains(words), "{said}");
    assert_eq!(
        text::who_can(&who_can(&directory, &"wiki".into(), None)).lines().count(),
        2,
        "nobody may have given it"
    );
}

#[test]
fn who_is_suspended_and_denied_and_had_an_account_does_not_lose_it_and_who_had_none_gets_none() {
    let told = |old: Vec<Change>, new: Vec<Change>| {
        let difference = diff(&version(old), &version(new));
        let lost = difference.changes.iter().any(|change| change.entitlement.is_none() && change.turn == Turn::Lost);
        (lost, difference.unknown.len())
    };
    assert_eq!(told(vec![suspended("eve")], vec![suspended("eve"), denied()]), (false, 1));
    assert_eq!(told(vec![], vec![suspended("eve"), denied()]), (false, 1));
    assert_eq!(told(vec![denied()], vec![suspended("eve"), denied()]), (false, 0));
    assert_eq!(told(vec![], vec![denied()]), (true, 0));
}

#[test]
fn of_an_identity_that_cannot_be_read_neither_a_policy_nor_a_deny_nor_what_is_required_is_claimed() {
    for policies in
        [vec![], vec![allow("all", &[], None, "wiki", &["admin"]), deny("no", &[], None, "wiki", &["admin"])]]
    {
        let mut directory =
            version(policies.into_iter().chain([broken_person("ada"), target_with("chat", &[], |_| {})]).collect());
        let said = explained(&mut directory, "ada", Some("admin"));
        let words = "\nwhether ada has wiki/admin cannot be told: nothing new is given, what is there\nis kept\n\
                     which policies name it cannot be told: the manifest of Identity ada is invalid\n  \
                       whether a Deny concerns it cannot be told; requires: unknown\n    \
                         requires  identity.type == \"Person\"\n";
        assert!(said.contains(words), "{said}");
        let editor = explained(&mut directory, "ada", Some("editor"));
        assert!(editor.contains("; requires: none\n"), "the editor has no rule: {editor}");
        let all = text::why(&why(&mut directory, &"ada".into(), None, None), &located);
        assert!(all.contains("\nwiki                      unknown   its manifest is invalid\n"), "{all}");
    }
}

#[test]
fn a_deny_is_told_as_the_cause_only_where_it_denies() {
    let mode = |policy: &mut AccessPolicy| policy.mode = PolicyMode::Audit;
    let audit = policy("no-wiki", Effect::Deny, &[who("eve"), who("bob")], None, "wiki", &[], mode);
    let mut directory = version(vec![person_with("bob", "Sales", |_| {}), audit, target_with("chat", &[], |_| {})]);
    let editor = explained(&mut directory, "eve", Some("editor"));
    assert!(editor.contains("\n  no Deny in force concerns it; requires: none\n"), "{editor}");
    let all = text::why(&why(&mut directory, &"bob".into(), None, None), &located);
    assert!(all.contains("\nwiki                      not       no policy\n"), "{all}");
    let mut directory = version(vec![denied(), broken_target("wiki")]);
    let all = text::why(&why(&mut directory, &"eve".into(), None, None), &located);
    assert!(all.contains("\nwiki                      unknown   ") && !all.contains("suspended"), "{all}");
}

#[test]
fn of_an_account_that_ended_it_is_not_said_that_it_stays() {
    let ended = person_with("eve", "Engineering", |eve| {
        eve.lifecycle.suspended = true;
        eve.lifecycle.end = Some(time("2026-11-01T00:00:00Z"));
    });
    let mut directory = version(vec![ended, denied()]);
    let said = text::why(&why(&mut directory, &"eve".into(), None, None), &located);
    assert!(said.contains("what it had cannot be told:") && !said.contains("stays"), "{said}");
}
