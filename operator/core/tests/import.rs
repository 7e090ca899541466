//! What exists, as it would be declared: names, reading backwards, groups, tables; and that applying it changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use provost_core::import::{Brought, Rehearsal, Shown, What, from_table, from_target, rehearse};
use provost_core::input;
use provost_core::model::{
    Capabilities, Change, ConnectorKind, DeleteMeans, EntitlementKind, Field, Name, Observability, Observed,
    ObservedEntitlement, Profile, Schema, Spelling, TargetId, Value,
};
use serde_json::{Value as Json, json};

/// Attributes of a directory: most of what an expression may do to a field.
static SCHEMA: Schema = Schema {
    mapping: &[
        ("uid", "identity.userName"),
        ("externalId", "identity.externalId"),
        ("cn", r#"identity.displayName != "" ? identity.displayName : identity.userName"#),
        ("sn", r#"identity.name.family != "" ? identity.name.family : identity.userName"#),
        ("displayName", "identity.displayName"),
        ("mail", "identity.emails.map(e, e.value)"),
        ("telephoneNumber", r#"identity.phoneNumbers.filter(p, p.type != "mobile").map(p, p.value)"#),
        ("mobile", r#"identity.phoneNumbers.filter(p, p.type == "mobile").map(p, p.value)"#),
        ("l", r#"identity.addresses.filter(a, a.type == "work").map(a, a.locality)"#),
        ("title", "identity.title"),
        ("manager", "identity.managerRef.name"),
    ],
    references: &["manager"],
    control: &["enabled"],
    spelling: Spelling::Exact,
    case_insensitive: &["uid", "mail"],
    mark: Some("externalId"),
    user_name: "uid",
    external_id: Some("externalId"),
    entitlements: &[EntitlementKind::Group],
    paths: false,
    interval: Duration::from_mins(10),
    protection: None,
};

fn schemas(_: ConnectorKind) -> &'static Schema {
    &SCHEMA
}

fn application(more: &Json) -> Change {
    let mut spec = json!({
        "connector": {"fake": {}},
        "entitlements": [{"name": "editor", "target": {"group": {"name": "Wiki Editors"}}}],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    let manifest = json!({"apiVersion": "provost.dev/v1alpha1", "kind": "TargetApplication",
                          "metadata": {"name": "wiki", "namespace": "acme"}, "spec": spec});
    input::target_application_change(&serde_json::from_value(manifest).unwrap())
}

fn account(id: &str, attributes: &[(&str, &str)]) -> Observed {
    let attributes = attributes.iter().map(|(name, value)| ((*name).into(), Value::from(*value))).collect();
    Observed { id: TargetId::from(id), enabled: true, attributes, holds: None }
}

fn group(id: &str, name: &str, members: &[&str]) -> ObservedEntitlement {
    let members = Some(members.iter().map(|id| TargetId::from(*id)).collect());
    let (id, kind) = (TargetId::from(id), EntitlementKind::Group);
    ObservedEntitlement { id, kind, name: name.into(), mark: None, members, groups: Vec::new() }
}

fn shown(accounts: Vec<Observed>, entitlements: Vec<ObservedEntitlement>) -> Shown {
    let capabilities = Capabilities {
        member_batch: 100,
        step_batch: 1,
        members: Observability::Full,
        visibility: Duration::ZERO,
        delete: DeleteMeans::Hard,
        disable: true,
        create_groups: true,
        request_timeout: Duration::from_secs(30),
    };
    let profile = Profile { measured: BTreeMap::new(), capabilities, principal: None, changes: None };
    Shown { profile, accounts, entitlements, elsewhere: Vec::new() }
}

fn bring(declared: &[Change], shown: &Shown) -> Brought {
    from_target(schemas, "acme", &Name::from("wiki"), declared, shown).unwrap()
}

/// What is brought in, as changes of manifests; each must be valid.
fn changes(brought: &Brought) -> Vec<Change> {
    let mut all = Vec::new();
    for (name, identity) in &brought.identities {
        let manifest = input::identity_manifest(None, name, identity);
        assert_eq!(input::identity(&manifest).as_ref(), Ok(identity), "it reads back as it was");
        all.push(input::identity_change(&manifest));
    }
    for (name, group) in &brought.groups {
        let manifest = input::group_manifest(None, name, group);
        assert_eq!(input::group(&manifest).as_ref(), Ok(group));
        all.push(input::group_change(&manifest));
    }
    for (name, policy) in &brought.policies {
        let manifest = input::access_policy_manifest(None, name, policy);
        assert_eq!(input::access_policy(&manifest).as_ref(), Ok(policy));
        all.push(input::access_policy_change(&manifest));
    }
    all
}

fn applied(declared: &[Change], brought: &Brought, shown: &Shown) -> Rehearsal {
    let all = declared.iter().cloned().chain(changes(brought)).collect();
    rehearse(schemas, "acme", &Name::from("wiki"), all, shown, Timestamp::UNIX_EPOCH)
}

fn names(brought: &Brought) -> Vec<&str> {
    brought.identities.iter().map(|(name, _)| name.as_str()).collect()
}

fn members(brought: &Brought, group: &str) -> Vec<String> {
    let (_, group) = brought.groups.iter().find(|(name, _)| name.as_str() == group).expect("the group is there");
    group.members.iter().map(|member| format!("{:?}", member.subject)).collect()
}

fn whys(brought: &Brought) -> Vec<(&str, &str, &str)> {
    brought.skipped.iter().map(|one| (one.what.as_str(), &*one.name, &*one.why)).collect()
}

#[test]
fn an_account_is_read_backwards_and_applying_it_writes_the_mark_alone() {
    let mut zoe = account(
        "2",
        &[
            ("uid", "Zoë.King"),
            ("cn", "Zoë King"),
            ("displayName", "Zoë King"),
            ("sn", "King"),
            ("mobile", "+44 1"),
            ("telephoneNumber", "+44 2"),
            ("l", "London"),
            ("manager", "1"),
        ],
    );
    zoe.attributes.insert("mail".into(), Value::List(vec!["z@acme.test".into(), "zoe@acme.test".into()]));
    let ada = account("1", &[("uid", "ada"), ("cn", "ada"), ("sn", "ada"), ("externalId", "E-1")]);
    let shown = shown(vec![zoe, ada], vec![group("g", "Wiki Editors", &["2"])]);
    let declared = [application(&json!({}))];
    let brought = bring(&declared, &shown);
    assert_eq!((names(&brought), whys(&brought)), (vec!["ada", "zoe-king"], vec![]));
    let zoe = &brought.identities[1].1;
    let text = |field| zoe.texts.iter().find(|(of, _)| *of == field).map(|(_, text)| &**text);
    assert_eq!((text(Field::DisplayName), text(Field::FamilyName)), (Some("Zoë King"), Some("King")));
    assert_eq!(zoe.manager.as_ref().map(Name::as_str), Some("ada"));
    assert_eq!(zoe.phone_numbers.iter().map(|number| number.kind.as_deref()).collect::<Vec<_>>().len(), 2);
    assert_eq!(zoe.addresses[0].locality.as_deref(), Some("London"));
    let ada = &brought.identities[0].1;
    assert_eq!((ada.external_id.as_deref(), ada.texts.len()), (Some("E-1"), 0), "what falls back is not made up");
    let told = applied(&declared, &brought, &shown);
    assert_eq!((told.adopted, told.marks, &told.writes[..], &told.waiting[..]), (2, 1, &[][..], &[][..]));
}

#[test]
fn the_key_that_is_no_part_of_the_mapping_is_brought_in_and_makes_a_privileged_account_sure() {
    static KEYED: Schema = Schema { mapping: &[("uid", "identity.userName")], ..SCHEMA };
    fn keyed(_: ConnectorKind) -> &'static Schema {
        &KEYED
    }
    let ada = account("1", &[("uid", "ada"), ("externalId", "E-1")]);
    let bob = account("2", &[("uid", "bob"), ("externalId", "provost:acme/bob")]);
    let shown = shown(vec![ada, bob], vec![group("g", "Wiki Editors", &["1"])]);
    let editor = json!({"name": "editor", "risk": "Privileged", "target": {"group": {"name": "Wiki Editors"}}});
    let declared = [application(&json!({"entitlements": [editor]}))];
    let wiki = Name::from("wiki");
    let brought = from_target(keyed, "acme", &wiki, &declared, &shown).unwrap();
    let keys: Vec<_> = brought.identities.iter().map(|(_, identity)| identity.external_id.as_deref()).collect();
    assert_eq!(keys, [Some("E-1"), None]);
    let all = declared.iter().cloned().chain(changes(&brought)).collect();
    let told = rehearse(keyed, "acme", &wiki, all, &shown, Timestamp::UNIX_EPOCH);
    assert_eq!(told, Rehearsal { adopted: 2, ..Rehearsal::default() });
}

#[test]
fn what_the_mapping_cannot_give_back_is_foreseen_and_left_alone_once_the_manifest_says_so() {
    let shown = shown(vec![account("1", &[("uid", "ada"), ("cn", "Ada Lovelace"), ("sn", "ada")])], vec![]);
    let declared = [application(&json!({"entitlements": []}))];
    let brought = bring(&declared, &shown);
    let told = applied(&declared, &brought, &shown);
    assert_eq!((told.adopted, told.marks, told.writes.len()), (1, 1, 1));
    assert_eq!(told.writes[0].attributes, ["displayName".into()], "the mark is counted once");
    for left in [
        json!({"name": "displayName", "apply": "Never"}),
        json!({"name": "displayName", "expression": "identity.displayName", "apply": "OnCreate"}),
    ] {
        let declared = [application(&json!({"entitlements": [], "account": {"attributes": [left]}}))];
        let brought = bring(&declared, &shown);
        let told = applied(&declared, &brought, &shown);
        assert_eq!((told.adopted, told.marks, told.writes.len()), (1, 1, 0), "{left}");
    }
}

#[test]
fn values_that_no_field_takes_are_named_and_the_target_keeps_them() {
    let mut ada = account("1", &[("uid", "ada"), ("cn", "ada"), ("sn", "L"), ("externalId", "1"), ("title", "Boss")]);
    let mut bob = account("2", &[("uid", "bob"), ("cn", "bob"), ("sn", "B"), ("externalId", "2")]);
    let several = |values: [&str; 2]| Value::List(values.map(Value::from).into());
    ada.attributes.insert("mail".into(), several(["ada@acme.test", "a@acme.test"]));
    bob.attributes.insert("title".into(), several(["Boss", "Clerk"]));
    let shown = shown(vec![ada, bob], vec![]);
    let declared = [application(&json!({"entitlements": []}))];
    let brought = bring(&declared, &shown);
    let untaken: Vec<_> = brought.untaken.iter().map(|(name, on)| (name.as_str(), on.join(","))).collect();
    assert_eq!(untaken, [("title", "bob".to_owned())]);
    assert_eq!(applied(&declared, &brought, &shown), Rehearsal { adopted: 2, ..Rehearsal::default() });
}

#[test]
fn whose_user_name_it_is_says_the_attribute_that_the_target_goes_by() {
    let mapped = json!({"attributes": [{"name": "cn", "expression": "identity.userName"}]});
    let declared = [application(&json!({"entitlements": [], "account": mapped}))];
    let shown =
        shown(vec![account("1", &[("uid", "ada"), ("cn", "lovelace"), ("sn", "L"), ("externalId", "1")])], vec![]);
    let brought = bring(&declared, &shown);
    assert_eq!(names(&brought), ["ada"]);
    let told = applied(&declared, &brought, &shown);
    assert_eq!((told.adopted, told.writes.len(), &told.writes[0].attributes[..]), (1, 1, &["cn".into()][..]));
    let ends = json!({"name": "uid", "expression": "identity.userName + '@acme.test'"});
    let mapped = json!({"attributes": [{"name": "cn", "expression": "identity.userName"}, ends]});
    let declared = [application(&json!({"entitlements": [], "account": mapped}))];
    let addy = account("1", &[("uid", "ada@acme.test"), ("cn", "Addy"), ("sn", "L"), ("externalId", "1")]);
    assert_eq!(names(&bring(&declared, &self::shown(vec![addy], vec![]))), ["ada"]);
}

#[test]
fn expressions_that_add_to_a_field_are_undone() {
    let mapping = json!([
        {"name": "mail", "expression": "identity.userName + \"@acme.test\""},
        {"name": "title", "expression": "identity.title.upperAscii()"},
        {"name": "room", "expression": "identity.attributes.room"},
        {"name": "source", "value": "provost"},
    ]);
    let declared = [application(&json!({"entitlements": [], "account": {"attributes": mapping}}))];
    let ada = [
        ("uid", "ada"),
        ("cn", "ada"),
        ("sn", "ada"),
        ("mail", "ada@acme.test"),
        ("title", "BOSS"),
        ("room", "7"),
        ("source", "provost"),
        ("externalId", "1"),
    ];
    let shown = shown(vec![account("1", &ada)], vec![]);
    let brought = bring(&declared, &shown);
    let ada = &brought.identities[0].1;
    assert_eq!((&*ada.custom[0].0, &*ada.texts), ("room", &[(Field::Title, "BOSS".into())][..]));
    let told = applied(&declared, &brought, &shown);
    assert_eq!((told.adopted, told.marks, &told.writes[..]), (1, 0, &[][..]));
}

#[test]
fn whoever_is_left_out_is_named_with_the_reason() {
    let of = |id: &str, uid: &str| account(id, &[("uid", uid), ("cn", uid), ("sn", uid)]);
    let mut marked = of("5", "eve");
    marked.attributes.insert("externalId".into(), "provost:other/eve".into());
    let (mut one, mut two) = (of("6", "fay"), of("7", "gus"));
    one.attributes.insert("externalId".into(), "E-1".into());
    two.attributes.insert("externalId".into(), "E-1".into());
    let mut several = of("11", "jim");
    let mails = vec![Value::from("jim@acme.test"), Value::from("postmaster@acme.test")];
    several.attributes.insert("mail".into(), Value::List(mails));
    let long = account("8", &[("uid", "hal"), ("title", &"x".repeat(300))]);
    let accounts = vec![
        of("1", "Admin"),
        account("2", &[("cn", "nobody")]),
        of("3", "bob"),
        of("4", "BOB"),
        marked,
        one,
        two,
        long,
        of("9", "own"),
        of("10", "ida"),
        several,
    ];
    let mut shown = shown(accounts, vec![group("g", "Wiki Editors", &["1", "10", "x"])]);
    shown.profile.principal = Some(TargetId::from("9"));
    shown.elsewhere = vec![(What::Account, 2), (What::Group, 0)];
    let protected =
        json!([{"attribute": "uid", "values": ["admin"]}, {"attribute": "mail", "values": ["JIM@acme.test"]}]);
    let declared = [application(&json!({"safety": {"protected": protected}}))];
    let brought = bring(&declared, &shown);
    assert_eq!(names(&brought), ["ida"]);
    let told = whys(&brought);
    for (name, why) in [
        ("Admin", "protected"),
        ("nobody", "it has no uid"),
        ("jim", "protected"),
        ("bob", "2 accounts have this user name"),
        ("BOB", "2 accounts have this user name"),
        ("eve", "another namespace than acme"),
        ("fay", "2 accounts have the externalId"),
        ("gus", "2 accounts have the externalId"),
        ("hal", "spec.title"),
        ("own", "operator itself"),
        ("Wiki Editors", "2 members are none of those that are brought in: Admin, x"),
        ("elsewhere", "other servers hold parts of the list (2)"),
    ] {
        assert!(told.iter().any(|(_, of, said)| *of == name && said.contains(why)), "{name}: {told:?}");
    }
    assert_eq!(told.len(), 12);
    assert_eq!(applied(&declared, &brought, &shown).writes, []);
}

#[test]
fn who_is_disabled_is_suspended_keeps_the_groups_and_is_not_written_to() {
    let mut ada = account("1", &[("uid", "ada"), ("cn", "ada"), ("sn", "ada"), ("externalId", "E-1")]);
    ada.enabled = false;
    let shown = shown(vec![ada], vec![group("g", "Wiki Editors", &["1"])]);
    let declared = [application(&json!({}))];
    let brought = bring(&declared, &shown);
    assert!(brought.identities[0].1.lifecycle.suspended);
    let entry = |name: &str, create: bool| json!({"name": name, "target": {"group": {"name": "X", "create": create}}});
    let lacking = [application(&json!({"entitlements": [entry("x", false)]}))];
    assert_eq!(bring(&lacking, &shown).absent, [(Name::from("x"), "X".into())]);
    let made = [application(&json!({"entitlements": [entry("x", true)]}))];
    assert_eq!(bring(&made, &shown).absent, []);
    let told = applied(&declared, &brought, &shown);
    assert_eq!(told, Rehearsal { adopted: 1, ..Rehearsal::default() });
}

#[test]
fn groups_within_groups_are_kept_and_give_nobody_more() {
    let of = |id: &str, uid: &str| account(id, &[("uid", uid), ("cn", uid), ("sn", uid), ("externalId", id)]);
    let groups = vec![
        group("g1", "Wiki Editors", &["1", "g2"]),
        group("g2", "Chiefs & Co.", &["2", "g3"]),
        group("g3", "Chiefs, co", &["g2"]),
    ];
    let shown = shown(vec![of("1", "ada"), of("2", "bob")], groups);
    let declared = [application(&json!({}))];
    let brought = bring(&declared, &shown);
    assert_eq!(brought.absent, [], "the catalogue's group is there");
    let groups: Vec<&str> = brought.groups.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(groups, ["chiefs-co", "chiefs-co-2", "wiki-accounts", "wiki-editors", "wiki-editors-direct"]);
    assert_eq!(members(&brought, "wiki-editors"), [r#"Group("chiefs-co")"#, r#"Group("wiki-editors-direct")"#]);
    assert_eq!(members(&brought, "wiki-editors-direct"), [r#"Identity("ada")"#]);
    assert_eq!(brought.uncatalogued.len(), 2);
    assert!(whys(&brought)[0].2.contains("a circle is not kept"), "{:?}", whys(&brought));
    assert_eq!(applied(&declared, &brought, &shown), Rehearsal { adopted: 2, ..Rehearsal::default() });
}

#[test]
fn a_group_that_is_told_from_accounts_is_found_by_its_id_also_where_an_account_has_the_same_one() {
    let of = |id: &str, uid: &str| account(id, &[("uid", uid), ("cn", uid), ("sn", uid), ("externalId", id)]);
    let mut editors = group("2", "Wiki Editors", &["1"]);
    editors.groups = vec![TargetId::from("1"), TargetId::from("9")];
    let shown = shown(vec![of("1", "ada"), of("2", "bob")], vec![editors, group("1", "Chiefs", &["2"])]);
    let declared = [application(&json!({}))];
    let brought = bring(&declared, &shown);
    assert_eq!(members(&brought, "wiki-editors"), [r#"Group("chiefs")"#, r#"Group("wiki-editors-direct")"#]);
    assert_eq!(members(&brought, "wiki-editors-direct"), [r#"Identity("ada")"#]);
    assert_eq!(whys(&brought), [("member", "Wiki Editors", "1 member is none of those that are brought in: 9")]);
    assert_eq!(applied(&declared, &brought, &shown), Rehearsal { adopted: 2, ..Rehearsal::default() });
}

#[test]
fn who_is_declared_already_is_not_declared_again() {
    let ada = json!({"apiVersion": "provost.dev/v1alpha1", "kind": "Identity", "metadata": {"name": "lovelace"},
                     "spec": {"userName": "ADA"}});
    let ada = input::identity_change(&serde_json::from_value(ada).unwrap());
    let declared = [application(&json!({})), ada];
    let of = |id: &str, uid: &str| account(id, &[("uid", uid), ("cn", uid), ("sn", uid)]);
    let shown = shown(vec![of("1", "ada"), of("2", "lovelace")], vec![group("g", "Wiki Editors", &["1"])]);
    let brought = bring(&declared, &shown);
    assert_eq!((brought.known, names(&brought)), (1, vec!["lovelace-2"]));
    assert_eq!(members(&brought, "wiki-editors"), [r#"Identity("lovelace")"#]);
}

#[test]
fn a_group_of_more_than_a_group_lists_is_made_of_parts() {
    let of = |at: usize| account(&at.to_string(), &[("uid", &format!("p{at:04}"))]);
    let shown = shown((0..5000).map(of).collect(), vec![]);
    let brought = bring(&[application(&json!({}))], &shown);
    let groups: Vec<(&str, usize)> =
        brought.groups.iter().map(|(name, group)| (name.as_str(), group.members.len())).collect();
    assert_eq!(groups, [("wiki-accounts", 2), ("wiki-accounts-part-1", 4096), ("wiki-accounts-part-2", 904)]);
}

#[test]
fn a_table_becomes_identities_and_groups() {
    let text = "\u{feff}userName,email,givenName,department,manager,groups,suspended,attributes.badge,endTime\r\n\
                ada,ada@acme.test;a@acme.test,Ada,\"R&D, \"\"core\"\"\",,Platform;All,,7,\r\n\
                \r\n\
                bob,bob@acme.test,Bob,Sales,ada,All,true,,2027-01-01T00:00:00Z\r\n\
                cyn,,Cyn,,nobody,,,1;2,\n";
    let brought = from_table(schemas, text, Some(&Name::from("wiki")), &[]).unwrap();
    changes(&brought);
    assert_eq!(names(&brought), ["ada", "bob", "cyn"]);
    let (ada, bob) = (&brought.identities[0].1, &brought.identities[1].1);
    assert_eq!(ada.texts[1], (Field::Department, r#"R&D, "core""#.into()));
    assert_eq!((ada.emails.len(), ada.emails[0].primary), (2, Some(true)));
    assert_eq!((bob.manager.as_ref().map(Name::as_str), bob.lifecycle.suspended), (Some("ada"), true));
    assert_eq!(members(&brought, "all"), [r#"Identity("ada")"#, r#"Identity("bob")"#]);
    assert_eq!(whys(&brought), [("manager", "cyn", "the manager nobody is none of those that are brought in")]);
    assert_eq!(brought.policies.len(), 1);
    assert!(from_table(schemas, text, None, &[]).unwrap().policies.is_empty());
}

fn a_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{1,3}",
        "[A-Za-z.@'-]{1,12}",
        "\\PC{1,12}",
        Just("Ågren, \"Zoë\" 🦀".to_owned()),
        Just("x".repeat(300)),
    ]
}

fn an_account(at: usize) -> impl Strategy<Value = Observed> {
    let attribute =
        |name: &'static str| proptest::option::of(a_text()).prop_map(move |text| text.map(|text| (name, text)));
    let all = ["uid", "cn", "sn", "displayName", "mail", "mobile", "l", "title", "externalId"].map(attribute);
    (all, any::<bool>()).prop_map(move |(all, enabled)| {
        let of = all.iter().flatten().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>();
        Observed { enabled, ..account(&at.to_string(), &of) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is at the target: names are valid and each there once, the same in every order, everything reads back, and
    /// everybody is brought in or left out.
    #[test]
    fn whatever_exists_is_declared_validly_or_left_out(
        accounts in (0..8_usize).prop_map(|count| (0..count).map(an_account).collect::<Vec<_>>()).prop_flat_map(|all| all),
        listed in proptest::collection::vec((a_text(), proptest::collection::vec(0..8_usize, 0..4)), 0..4),
    ) {
        let groups: Vec<ObservedEntitlement> = listed.iter().enumerate().map(|(at, (name, members))| {
            let members: Vec<String> = members.iter().map(|at| if at % 3 == 0 { format!("g{at}") } else { at.to_string() }).collect();
            group(&format!("g{at}"), name, &members.iter().map(String::as_str).collect::<Vec<_>>())
        }).collect();
        let declared = [application(&json!({}))];
        let shown_so = shown(accounts.clone(), groups.clone());
        let brought = bring(&declared, &shown_so);
        changes(&brought);
        let distinct: BTreeSet<&str> = names(&brought).into_iter().collect();
        prop_assert_eq!(distinct.len(), brought.identities.len());
        let left_out = brought.skipped.iter().filter(|one| one.what.as_str() == "account").count();
        prop_assert_eq!(brought.identities.len() + left_out, accounts.len());
        let other_way = shown(accounts.into_iter().rev().collect(), groups.into_iter().rev().collect());
        let again = bring(&declared, &other_way);
        prop_assert_eq!(&again.identities, &brought.identities);
        prop_assert_eq!(&again.groups, &brought.groups);
        let told = applied(&declared, &brought, &shown_so);
        prop_assert!(told.adopted + told.waiting.len() >= brought.identities.len(), "{:?} {:?}", names(&brought), told);
        prop_assert!(told.writes.iter().all(|write| write.step == "UpdateAccount" || write.step == "RenameAccount"), "{:?}", told);
    }
}
