//! Answers as they read.

mod rest;

use super::{Turn, Verdict, diff, plan, text, who_can, why};
use crate::directory::Directory;
use crate::directory::tests::build::*;
use crate::model::{Change, DeprovisionStep, Effect, Invalid, Lifecycle, ObjectRef};

fn acme() -> Vec<Change> {
    vec![
        target_with("wiki", &[("editor", None), ("admin", Some("identity.type == \"Person\""))], |wiki| {
            wiki.entitlements[1].privileged = true;
            wiki.deprovision.ended =
                DeprovisionStep::Disable { delete_after: Some(std::time::Duration::from_hours(720)) };
        }),
        person("ada", "Engineering"),
        person("bob", "Sales"),
        person("eve", "Engineering"),
        group("sre", &[who("ada"), who("eve")], None, &[]),
        group("platform", &[in_group("sre")], None, &[]),
        group("contractors", &[], None, &[]),
        allow(
            "engineers-wiki",
            &[in_group("platform")],
            Some("identity.department == \"Engineering\" && !(\"contractors\" in identity.groups)"),
            "wiki",
            &["editor"],
        ),
    ]
}

fn located(object: &ObjectRef) -> Option<String> {
    (object.name.as_str() == "engineers-wiki").then(|| "policies/wiki.yaml:1".into())
}

fn explained(directory: &mut Directory, who: &str, entitlement: Option<&str>) -> String {
    let entitlement = entitlement.map(Into::into);
    let answer = why(directory, &who.into(), Some(&"wiki".into()), entitlement.as_ref());
    text::why(&answer, &located)
}

#[test]
fn a_right_is_explained_by_the_policy_its_subjects_and_its_rule() {
    assert_eq!(
        explained(&mut namespace(acme()), "ada", Some("editor")),
        r#"ada has wiki/editor
  AccessPolicy engineers-wiki (generation 3)                policies/wiki.yaml:1
    subjects  Group platform  yes      listed in sre, which platform includes
    match     identity.department == "Engineering" && !("contractors" in
              identity.groups)
              yes          identity.department == "Engineering"
              no           "contractors" in identity.groups
  no Deny concerns it; requires: none
"#
    );
}

#[test]
fn a_right_that_is_not_had_is_explained_by_the_nearest_policy() {
    let mut changes = acme();
    changes.push(allow("admins", &[who("ada")], Some("identity.department == \"Sales\""), "wiki", &["admin"]));
    changes.push(deny("no-admins", &[], Some("identity.type == \"Person\""), "wiki", &["admin"]));
    assert_eq!(
        explained(&mut namespace(changes), "ada", Some("admin")),
        r#"ada does not have wiki/admin
  AccessPolicy no-admins (generation 3, Deny)
    match     identity.type == "Person"
              ^ yes
no AccessPolicy gives it; the nearest:
  AccessPolicy admins (generation 3)
    subjects  Identity ada  yes
    match     identity.department == "Sales"
              ^ no
  denied as above; requires: yes
    requires  identity.type == "Person"
              ^ yes
"#
    );
}

#[test]
fn a_deny_and_a_requires_that_cannot_be_read_are_told_as_what_they_may_be() {
    let nonsense = || deny("no-editors", &[], Some("identity.nonsense"), "wiki", &["editor"]);
    let told = |changes: Vec<Change>| {
        explained(&mut namespace(acme().into_iter().chain(changes).collect()), "ada", Some("editor"))
    };
    let said = told(vec![nonsense()]);
    assert!(said.contains("\n  may be denied, as above; requires: none\n"), "{said}");
    let said = told(vec![nonsense(), broken_target("wiki")]);
    assert!(said.contains("\n  may be denied, as above; requires: cannot be read\n"), "{said}");
    let said = told(vec![nonsense(), deny("none", &[], None, "wiki", &["editor"])]);
    assert!(said.contains("\n  denied as above; requires: none\n"), "{said}");
}

#[test]
fn everything_that_an_identity_has_fits_one_line_each() {
    let mut directory = namespace(acme());
    let answer = why(&mut directory, &"ada".into(), None, None);
    assert_eq!(
        text::why(&answer, &located),
        "ada: Active, in platform, sre\n\
         wiki                      has       engineers-wiki\n\
         wiki/editor               has       engineers-wiki\n"
    );
    let nobody = why(&mut directory, &"zoe".into(), None, None);
    assert_eq!(nobody.standing, None);
    assert_eq!(text::why(&nobody, &located), "there is no Identity zoe; an owner who is gone has ended\n");
}

#[test]
fn who_can_lists_holders_with_the_policies_that_give_it() {
    let mut changes = acme();
    changes.push(person_with("eve", "Engineering", |eve| {
        eve.lifecycle = Lifecycle { suspended: true, ..Lifecycle::default() };
    }));
    changes.push(allow("perhaps", &[in_group("nowhere")], None, "wiki", &["editor"]));
    let directory = namespace(changes);
    let holders = who_can(&directory, &"wiki".into(), Some(&"editor".into()));
    let verdicts: Vec<(&str, Verdict)> = holders.iter().map(|h| (h.identity.as_str(), h.verdict)).collect();
    assert_eq!(verdicts, [("ada", Verdict::Has), ("bob", Verdict::Unknown), ("eve", Verdict::Disabled)]);
    assert_eq!(
        text::who_can(&holders),
        "ada  has       engineers-wiki\nbob  unknown   perhaps\neve  disabled  engineers-wiki\n"
    );
    assert_eq!(text::who_can(&[]), "nobody\n");
}

#[test]
fn a_plan_names_the_policies_that_cannot_be_told_as_such() {
    let untold = |name: &str| allow(name, &[], Some("identity.nonsense"), "wiki", &["admin"]);
    for (policies, words) in [
        (vec![untold("till")], "for bob: AccessPolicy till cannot be told"),
        (vec![untold("till"), untold("so")], "for bob: AccessPolicies so, till cannot be told"),
    ] {
        let said = text::plan(&plan(&namespace(acme().into_iter().chain(policies).collect())));
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_plan_names_who_would_have_what() {
    assert_eq!(
        text::plan(&plan(&namespace(acme()))),
        "wiki  2 accounts\n  account  ada, eve\n  admin    (privileged) nobody\n  editor   ada, eve\n"
    );
}

fn led(name: &str, what: &[&str], hours: u64) -> Change {
    let rule = Some("identity.department == \"Engineering\"");
    let lead = std::time::Duration::from_hours(hours);
    policy(name, Effect::Allow, &[], rule, "wiki", what, |policy| policy.lead_time = Some(lead))
}

#[test]
fn who_has_not_started_is_told_when_it_does_and_from_when_it_has_what() {
    let mut changes = acme();
    changes.push(led("engineers-wiki", &["editor"], 168));
    changes.push(person_with("ada", "Engineering", |ada| ada.lifecycle.start = Some(time("2026-12-20T00:00:00Z"))));
    let mut directory = namespace(changes);
    let answer = why(&mut directory, &"ada".into(), None, None);
    assert_eq!(
        text::why(&answer, &located),
        "ada: Pending, starts at 2026-12-20T00:00:00Z, in platform, sre\n\
         wiki                      later     engineers-wiki\n\
         wiki/editor               later     engineers-wiki\n\
         by time alone:\n  \
           2026-12-13T00:00:00Z  + wiki disabled             engineers-wiki\n  \
           2026-12-20T00:00:00Z  ~ wiki enabled              engineers-wiki\n  \
           2026-12-20T00:00:00Z  + wiki/editor               engineers-wiki\n"
    );
    assert_eq!(directory.now(), noon());
    let account = explained(&mut directory, "ada", None);
    assert!(account.contains("\nwiki                      later"), "{account}");
    let editor = explained(&mut directory, "ada", Some("editor"));
    assert!(editor.contains("\nada will have wiki/editor from 2026-12-20T00:00:00Z\n"), "{editor}");
    assert!(
        editor.ends_with("by time alone:\n  2026-12-20T00:00:00Z  + wiki/editor               engineers-wiki\n"),
        "{editor}"
    );
}

#[test]
fn who_has_ended_is_told_what_it_had_and_since_when_it_has_it_no_more() {
    let mut changes = acme();
    changes.push(person_with("ada", "Engineering", |ada| ada.lifecycle.end = Some(time("2026-11-01T00:00:00Z"))));
    changes.push(person_with("bob", "Sales", |bob| bob.lifecycle.end = Some(time("2026-11-01T00:00:00Z"))));
    let mut directory = namespace(changes);
    let answer = why(&mut directory, &"ada".into(), None, None);
    assert_eq!(
        text::why(&answer, &located),
        "ada: Ended since 2026-11-01T00:00:00Z, in no group\n\
         ada does not have an account in wiki: it has ended\n\
         until then:\n  \
           had wiki                      engineers-wiki\n  \
           had wiki/editor               engineers-wiki\n"
    );
    let editor = explained(&mut directory, "ada", Some("editor"));
    assert!(editor.contains("\nada does not have wiki/editor: it has ended\nuntil then:\n"), "{editor}");
    let nothing = explained(&mut directory, "bob", Some("editor"));
    assert!(nothing.ends_with("it has ended\nno policy gave it anything of this before\n"), "{nothing}");
}

#[test]
fn a_plan_and_a_difference_tell_what_comes_by_time_alone() {
    let sre = |end: Option<&str>| {
        let mut sre = group("sre", &[who("ada"), who("eve")], None, &[]);
        if let Change::Group(manifest) = &mut sre {
            manifest.spec.as_mut().unwrap().members[1].not_after = end.map(time);
        }
        sre
    };
    let version = |end: Option<&str>| namespace(acme().into_iter().chain([sre(end)]).collect());
    let mut directory = version(Some("2026-12-24T00:00:00Z"));
    let foreseen = super::Desired { later: super::later(&mut directory, None), ..plan(&directory) };
    let said = text::plan(&foreseen);
    let line = "2 changes take effect later; the first at 2026-12-24T00:00:00Z: no account in\nwiki for eve any more\n";
    assert!(said.ends_with(line), "{said}");
    let told = |old: Option<&str>, new: Option<&str>| {
        let (mut old, mut new) = (version(old), version(new));
        let mut difference = diff(&old, &new);
        difference.foresee(&mut old, &mut new);
        (difference.is_empty(), text::diff(&difference), text::markdown(&difference))
    };
    let (same, said, _) = told(Some("2026-12-24T00:00:00Z"), Some("2026-12-24T00:00:00Z"));
    assert!(same && said.starts_with("nobody gains or loses anything\n3 identities"), "{said}");
    let (same, said, markdown) = told(None, Some("2026-12-24T00:00:00Z"));
    assert!(!same && said.starts_with(&format!("nobody gains or loses anything now\n{line}")), "{said}");
    assert!(markdown.starts_with("Nobody gains or loses anything now.\n\n2 changes take effect later; "), "{markdown}");
    let (same, said, _) = told(Some("2026-12-24T00:00:00Z"), None);
    let gone = "\n2 changes that were to come later do not come; the first at\n2026-12-24T00:00:00Z: no account";
    assert!(!same && said.contains(gone), "{said}");
}

#[test]
fn who_was_suspended_and_has_ended_is_told_that_the_account_was_disabled() {
    let mut changes = acme();
    changes.push(person_with("ada", "Engineering", |ada| {
        ada.lifecycle = Lifecycle { suspended: true, end: Some(time("2026-11-01T00:00:00Z")), start: None };
    }));
    let account = explained(&mut namespace(changes), "ada", None);
    assert!(account.contains("until then:\n  had wiki disabled             engineers-wiki\n"), "{account}");
}

#[test]
fn what_who_has_ended_had_is_not_denied_where_it_cannot_be_told() {
    let end = time("2026-11-01T00:00:00Z");
    let ended = || person_with("ada", "Engineering", |ada| ada.lifecycle.end = Some(end));
    let lifecycle = Some(Lifecycle { end: Some(end), ..Lifecycle::default() });
    let unread = || {
        let Change::Identity(mut ada) = broken_person("ada") else { unreachable!() };
        ada.spec = Err(Invalid { lifecycle, ..invalid() });
        Change::Identity(ada)
    };
    for (changes, words) in [
        (vec![ended(), broken_target("wiki")], "wiki: its manifest is invalid"),
        (vec![ended(), allow("engineers-wiki", &[], Some("identity.nonsense"), "wiki", &["editor"])], "wiki/editor:"),
        (vec![ended(), broken_group("sre"), deny("no", &[in_group("sre")], None, "wiki", &[])], "a Deny"),
        (vec![unread()], "wiki: the manifest of Identity ada is invalid"),
    ] {
        let mut directory = namespace(acme().into_iter().chain(changes).collect());
        let answer = why(&mut directory, &"ada".into(), None, None);
        let said = text::why(&answer, &located);
        assert!(said.contains("what it had cannot be told:\n") && said.contains(words), "{words}: {said}");
        assert!(!said.contains("no policy gave"), "{said}");
        assert!(said.starts_with("ada: Ended since 2026-11-01T00:00:00Z"), "{said}");
    }
    let bob = person_with("bob", "Sales", |bob| bob.lifecycle.end = Some(end));
    let changes = acme().into_iter().chain([bob, broken_target("other")]).collect();
    let said = explained(&mut namespace(changes), "bob", None);
    assert!(said.ends_with("no policy gave it anything of this before\n"), "{said}");
}

fn windowed(name: &str, from: Option<&str>, to: Option<&str>) -> Change {
    policy(name, Effect::Allow, &[who("bob")], None, "wiki", &["editor"], |policy| {
        (policy.not_before, policy.not_after) = (from.map(time), to.map(time));
    })
}

#[test]
fn who_has_not_started_is_told_of_the_policies_that_are_open_then_and_of_none_that_is_over() {
    let (christmas, start) = (Some("2026-12-10T00:00:00Z"), Some("2026-12-20T00:00:00Z"));
    let told = |policies: Vec<Change>| {
        let bob = person_with("bob", "Sales", |bob| bob.lifecycle.start = start.map(time));
        let changes = acme().into_iter().chain([bob]).chain(policies).collect();
        explained(&mut namespace(changes), "bob", Some("editor"))
    };
    let early = || windowed("early", None, christmas);
    let said = told(vec![early(), windowed("late", Some("2026-12-25T00:00:00Z"), None)]);
    assert!(said.contains("\nbob will have wiki/editor from 2026-12-25T00:00:00Z\n"), "{said}");
    assert!(said.contains("AccessPolicy late ") && said.contains("opens 2026-12-25T00:00:00Z"), "{said}");
    assert!(!said.contains("early"), "{said}");
    let said = told(vec![early()]);
    let never = "\nbob does not have wiki/editor, and by what is declared will not: what gives it\nnow does so no more when bob has started\n";
    assert!(said.contains(never) && said.contains("AccessPolicy early "), "{said}");
}

#[test]
fn who_is_suspended_does_not_lose_later_what_was_never_given() {
    let bob = person_with("bob", "Sales", |bob| bob.lifecycle.suspended = true);
    let window = windowed("later", Some("2026-12-10T00:00:00Z"), Some("2026-12-20T00:00:00Z"));
    let mut directory = namespace(acme().into_iter().chain([bob, window]).collect());
    let found = super::later(&mut directory, None);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn an_application_that_cannot_be_read_is_no_loss_and_is_named() {
    let ending = || person_with("eve", "Engineering", |eve| eve.lifecycle.end = Some(time("2026-12-24T00:00:00Z")));
    let read = || namespace(acme().into_iter().chain([ending()]).collect());
    let unread = || namespace(acme().into_iter().chain([ending(), broken_target("wiki")]).collect());
    let told = |mut old: Directory, mut new: Directory| {
        let mut difference = diff(&old, &new);
        difference.foresee(&mut old, &mut new);
        difference
    };
    for lost in [told(read(), unread()), told(unread(), unread())] {
        assert!(!lost.is_empty() && lost.changes.is_empty() && lost.applications.is_empty(), "{lost:?}");
        assert!(lost.later.is_empty() && lost.no_longer.is_empty(), "{lost:?}");
        let named = "wiki  unknown: its manifest is invalid; `provost lint` says why\n\
                     as far as is known nobody gains or loses anything\n";
        assert!(text::diff(&lost).starts_with(named), "{}", text::diff(&lost));
        let markdown = text::markdown(&lost);
        assert!(
            markdown.starts_with("- **wiki**: unknown: its manifest is invalid; `provost lint` says why\n\nAs far"),
            "{markdown}"
        );
    }
    let mended = told(unread(), read());
    assert!(mended.changes.iter().all(|change| change.cause == "TargetApplication wiki: its manifest was invalid"));
    let said = text::diff(&mended);
    assert!(said.contains("wiki  what it gave is unknown: its manifest was invalid\n"), "{said}");
    assert!(said.contains("+ 2 accounts"), "{said}");
}

type Edit<'a> = &'a dyn Fn(&mut Vec<Change>);

#[test]
fn a_difference_names_the_object_that_changed() {
    let end = |changes: &mut Vec<Change>| {
        changes.push(person_with("eve", "Engineering", |eve| eve.lifecycle.end = Some(noon())));
    };
    let gone = |changes: &mut Vec<Change>, name: &str| {
        changes.retain(|change| change.object().name.as_str() != name);
    };
    let cases: &[(Edit<'_>, &str, Turn, &str)] = &[
        (&|c| gone(c, "eve"), "eve", Turn::Lost, "Identity eve deleted: account disabled, deleted after 720h"),
        (&end, "eve", Turn::Lost, "Identity eve: Ended, was Active: account disabled, deleted after 720h"),
        (&|c| c.push(group("sre", &[who("ada")], None, &[])), "eve", Turn::Lost, "Group sre: eve removed"),
        (&|c| c.push(group("platform", &[], None, &[])), "eve", Turn::Lost, "Group platform: sre removed"),
        (&|c| c.push(person("eve", "Sales")), "eve", Turn::Lost, "Identity eve: department changed"),
        (
            &|c| c.push(group("platform", &[in_group("sre")], None, &[who("eve")])),
            "eve",
            Turn::Lost,
            "Group platform: eve excluded",
        ),
        (
            &|c| c.push(group("contractors", &[who("eve")], None, &[])),
            "eve",
            Turn::Lost,
            "Group contractors: eve added",
        ),
        (&|c| gone(c, "engineers-wiki"), "eve", Turn::Lost, "AccessPolicy engineers-wiki deleted"),
        (&|c| c.push(deny("no", &[who("eve")], None, "wiki", &[])), "eve", Turn::Lost, "AccessPolicy no: new"),
        (
            &|c| c.push(allow("all", &[], Some("identity.type == \"Person\""), "wiki", &[])),
            "bob",
            Turn::Gained,
            "AccessPolicy all: new",
        ),
        (
            &|c| {
                c.push(policy(
                    "engineers-wiki",
                    Effect::Allow,
                    &[in_group("platform")],
                    None,
                    "wiki",
                    &["editor"],
                    |_| {},
                ));
            },
            "ada",
            Turn::Gained,
            "",
        ),
    ];
    for (edit, who, turn, cause) in cases {
        let mut changes = acme();
        edit(&mut changes);
        let difference = diff(&namespace(acme()), &namespace(changes));
        let account = difference
            .changes
            .iter()
            .find(|change| change.entitlement.is_none() && change.identities.contains(&(*who).into()));
        match cause {
            &"" => assert!(difference.changes.is_empty(), "{difference:?}"),
            cause => {
                let account = account.unwrap_or_else(|| panic!("{cause}: {difference:?}"));
                assert_eq!((account.turn, account.cause.as_str()), (*turn, *cause));
            }
        }
    }
}

#[test]
fn a_difference_reads_as_totals_and_then_as_rights() {
    let mut changes = acme();
    changes.push(group("sre", &[who("ada")], None, &[]));
    changes.push(allow("admins", &[who("ada"), who("bob")], None, "wiki", &["admin"]));
    changes.push(person_with("ada", "Engineering", |ada| ada.lifecycle.suspended = true));
    let difference = diff(&namespace(acme()), &namespace(changes));
    assert_eq!(
        text::diff(&difference),
        "wiki  + 1 account   - 1 account   ~ 1 switched   + 1 admin (privileged)\n      \
               - 1 editor\n\
         \n  \
           + wiki           bob               AccessPolicy admins: new\n  \
           - wiki           eve               Group sre: eve removed\n  \
           ~ wiki disabled  ada               Identity ada: Suspended, was Active\n  \
           + wiki/admin     bob               AccessPolicy admins: new (privileged)\n  \
           - wiki/editor    eve               Group sre: eve removed\n\
         2 identities, 2 groups, 1 policy, 1 application unchanged\n"
    );
    assert!(text::markdown(&difference).contains("| + | wiki/admin **privileged** | bob | AccessPolicy admins: new |"));
    let nothing = diff(&namespace(acme()), &namespace(acme()));
    assert!(text::markdown(&nothing).starts_with("Nobody gains or loses anything.\n"));
}
