//! Bulk requests (RFC 7644, 3.7): what goes by them, what half of them working does, and what is never believed.

use provost_connectors::AnyTarget;
use provost_connectors::contract::{Contract, Words, contract};
use provost_connectors::schema;
use provost_core::model::{ConnectorKind, Step, TargetError, TargetId};
use serde_json::json;
use tests::misbehaving::client::{apply, attributes, create, done, measured, members, probe, start, update};
use tests::misbehaving::{Misbehaving, Switches};
use tests::servers::{Counting, Program, connected, connected_as, connector};

fn creates(prefix: &str, count: usize) -> Vec<Step> {
    let one = |at| Step::CreateAccount {
        attributes: attributes(&[("userName", &format!("{prefix}-{at}")), ("title", "Engineer")]),
        enabled: true,
        password: false,
    };
    (0..count).map(one).collect()
}

fn renames(ids: &[TargetId], title: &str) -> Vec<Step> {
    ids.iter().map(|id| Step::UpdateAccount { id: id.clone(), set: attributes(&[("title", title)]) }).collect()
}

/// Requests that write, since the last call.
fn writes(server: &Misbehaving) -> Vec<String> {
    server.take().into_iter().filter(|request| !request.starts_with("GET")).collect()
}

fn offered(most: usize) -> Switches {
    Switches { bulk: Some(most), ..Switches::default() }
}

#[tokio::test]
async fn many_creates_updates_and_members_go_in_few_requests_once_a_small_one_was_seen_to_work() {
    let (server, target) = start(offered(1000)).await;
    assert_eq!(measured(&probe(&target).await, "bulk"), "offered, not measured");
    server.take();
    let ids = done(&target, &creates("ada", 40)).await;
    assert_eq!(writes(&server), ["POST /scim/Bulk"; 3], "one of four on trial, then 32 and 4");
    done(&target, &renames(&ids, "Boss")).await;
    // Their answers show nothing: the next write to each is sent by itself.
    assert_eq!(writes(&server).len(), 40);
    done(&target, &renames(&ids, "Analyst")).await;
    assert_eq!(writes(&server), ["POST /scim/Bulk"; 3]);
    let titles = server.with(|service| service.users.iter().filter(|user| user["title"] == "Analyst").count());
    assert_eq!(titles, 40);

    let groups = server.with(|service| [0, 1, 2].map(|at| service.add_group(&format!("team-{at}"), &[])));
    let groups = groups.map(TargetId::new);
    let adds = |ids: &[TargetId]| -> Vec<Step> {
        groups.iter().map(|group| Step::AddMembers { group: group.clone(), members: ids.to_vec() }).collect()
    };
    done(&target, &adds(&ids[..1])[..1]).await;
    writes(&server);
    done(&target, &adds(&ids[1..])).await;
    assert_eq!(writes(&server), ["POST /scim/Bulk"]);
    let removes = |ids: &[TargetId]| -> Vec<Step> {
        groups.iter().map(|group| Step::RemoveMembers { group: group.clone(), members: ids.to_vec() }).collect()
    };
    done(&target, &removes(&ids[..1])[..1]).await;
    writes(&server);
    done(&target, &removes(&ids[1..5])).await;
    assert_eq!(writes(&server), ["POST /scim/Bulk"]);
    assert_eq!(members(&target).await.values().collect::<Vec<_>>(), [&Some(35); 3]);
    assert_eq!(measured(&probe(&target).await, "bulk"), "works: creates, updates, members");
    assert_eq!(probe(&target).await.capabilities.step_batch, 32);
}

#[tokio::test]
async fn what_fails_within_a_bulk_request_is_told_with_what_was_asked() {
    let (server, target) = start(offered(1000)).await;
    probe(&target).await;
    let ids = done(&target, &creates("ada", 3)).await;
    done(&target, &renames(&ids, "Boss")).await;
    for (status, expected) in [
        (500, TargetError::Lost("HTTP 500 for PATCH Users/{id}".into())),
        (503, TargetError::Transient("HTTP 503 for PATCH Users/{id}".into())),
        (412, TargetError::Transient("it was changed meanwhile, HTTP 412".into())),
    ] {
        server.with(|service| service.switches.patch_refused = Some(status));
        writes(&server);
        let (outcomes, _) = target.apply(&renames(&ids, "Engineer")).await;
        assert_eq!(writes(&server), ["POST /scim/Bulk"]);
        assert_eq!(outcomes, [(); 3].map(|()| Err(expected.clone())));
    }
    // No failure of the target's own: it says what is to be done by itself.
    server.with(|service| service.switches.patch_refused = Some(408));
    let outcome = update(&target, &ids[0], &[("title", "Boss")]).await;
    assert_eq!(outcome.unwrap_err(), TargetError::Transient("HTTP 408".into()));
}

#[tokio::test]
async fn each_operation_is_told_its_own_outcome() {
    let (server, target) = start(Switches { unknown_rejected: ["nickName"].into(), ..offered(1000) }).await;
    probe(&target).await;
    let ids = done(&target, &creates("ada", 5)).await;
    update(&target, &ids[0], &[("title", "Boss")]).await.unwrap();
    let mut steps = creates("bob", 6);
    steps[1] = creates("ada", 1).remove(0);
    steps[2] = Step::UpdateAccount { id: ids[0].clone(), set: attributes(&[("nickName", "Lady")]) };
    steps[3] = Step::UpdateAccount { id: "nobody".into(), set: attributes(&[("title", "Boss")]) };
    server.take();
    let (outcomes, _) = target.apply(&steps).await;
    assert!(server.take().contains(&"POST /scim/Bulk".to_owned()));
    for at in [0, 4, 5] {
        assert!(outcomes[at].as_ref().is_ok_and(|applied| applied.id.is_some()), "{at}: {outcomes:?}");
    }
    assert_eq!(outcomes[1], Err(TargetError::Conflict));
    let Err(TargetError::Rejected { field, .. }) = &outcomes[2] else { panic!("{outcomes:?}") };
    assert_eq!(*field, Some("nickName".into()));
    assert_eq!(outcomes[3], Err(TargetError::NotFound));
}

#[tokio::test]
async fn a_service_that_refuses_bulk_requests_is_asked_once_and_everything_is_done_all_the_same() {
    for status in [400, 403, 404, 405, 501] {
        let (server, target) = start(Switches { bulk_refused: Some(status), ..offered(1000) }).await;
        probe(&target).await;
        server.take();
        done(&target, &creates("ada", 6)).await;
        let requests = writes(&server);
        assert_eq!(requests.iter().filter(|request| *request == "POST /scim/Bulk").count(), 1, "{status}");
        done(&target, &creates("bob", 6)).await;
        assert_eq!(writes(&server), ["POST /scim/Users"; 6], "{status}");
        let profile = probe(&target).await;
        assert_eq!((measured(&profile, "bulk"), profile.capabilities.step_batch), ("refused", 1), "{status}");
        assert_eq!(server.with(|service| service.users.len()), 12);
    }
}

#[tokio::test]
async fn a_service_that_takes_fewer_operations_than_it_says_is_sent_fewer() {
    let (server, target) = start(Switches { bulk_limit: Some(10), ..offered(1000) }).await;
    probe(&target).await;
    server.take();
    done(&target, &creates("ada", 40)).await;
    assert_eq!(server.with(|service| service.users.len()), 40);
    let requests = writes(&server);
    assert!(requests.iter().all(|request| request == "POST /scim/Bulk"), "{requests:?}");
    assert!(requests.len() < 10, "{requests:?}");
    let profile = probe(&target).await;
    assert_eq!((measured(&profile, "bulkLimit"), profile.capabilities.step_batch), ("8", 8));
    // What is said is respected without trying.
    let (server, target) = start(offered(5)).await;
    probe(&target).await;
    server.take();
    done(&target, &creates("ada", 14)).await;
    assert_eq!(writes(&server), ["POST /scim/Bulk"; 3]);
}

#[tokio::test]
async fn a_413_for_every_size_ends_with_single_requests() {
    let (server, target) = start(Switches { bulk_refused: Some(413), ..offered(1000) }).await;
    probe(&target).await;
    done(&target, &creates("ada", 6)).await;
    server.take();
    done(&target, &creates("bob", 6)).await;
    assert_eq!(writes(&server), ["POST /scim/Users"; 6]);
}

#[tokio::test]
async fn an_operation_that_is_not_answered_is_lost_and_the_others_are_not() {
    let (server, target) = start(Switches { bulk_answers: Some(3), ..offered(1000) }).await;
    probe(&target).await;
    let (outcomes, _) = target.apply(&creates("ada", 4)).await;
    assert!(outcomes[..3].iter().all(Result::is_ok), "{outcomes:?}");
    assert!(matches!(outcomes[3], Err(TargetError::Lost(_))), "{outcomes:?}");
    assert_eq!(server.with(|service| service.users.len()), 4, "it was done, and only a look can tell");
}

#[tokio::test]
async fn a_service_that_stops_at_the_first_failure_leaves_the_rest_lost() {
    let (server, target) = start(Switches { bulk_stops: true, ..offered(1000) }).await;
    server.with(|service| service.add_user("ada-1", true));
    probe(&target).await;
    let (outcomes, _) = target.apply(&creates("ada", 4)).await;
    assert!(outcomes[0].is_ok(), "{outcomes:?}");
    assert_eq!(outcomes[1], Err(TargetError::Conflict));
    assert!(outcomes[2..].iter().all(|outcome| matches!(outcome, Err(TargetError::Lost(_)))), "{outcomes:?}");
}

#[tokio::test]
async fn what_is_said_to_be_done_and_is_not_is_never_believed() {
    // Creates: nobody knows what became of them, they are looked for. Changes: done by themselves.
    let (server, target) = start(Switches { bulk_ignores: Some(("POST", "Users")), ..offered(1000) }).await;
    probe(&target).await;
    let (outcomes, _) = target.apply(&creates("ada", 3)).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(TargetError::Lost(_)))), "{outcomes:?}");
    done(&target, &creates("ada", 3)).await;
    assert_eq!(server.with(|service| service.users.len()), 3);
    assert_eq!(measured(&probe(&target).await, "bulk"), "does not work: creates");

    for kind in ["Users", "Groups"] {
        let (server, target) = start(Switches { bulk_ignores: Some(("PATCH", kind)), ..offered(1000) }).await;
        changes_are_done(&server, &target).await;
    }
}

#[tokio::test]
async fn what_bulk_requests_cannot_do_is_done_by_itself() {
    for what in [("POST", "Users"), ("PATCH", "Users"), ("PATCH", "Groups")] {
        let (server, target) = start(Switches { bulk_without: Some(what), ..offered(1000) }).await;
        changes_are_done(&server, &target).await;
        let shown = measured(&probe(&target).await, "bulk").to_owned();
        assert!(shown.starts_with("works: ") && shown.contains("; does not: "), "{what:?}: {shown}");
    }
}

/// Accounts created, changed and put into groups are so in the end.
async fn changes_are_done(server: &Misbehaving, target: &AnyTarget) {
    probe(target).await;
    done(target, &creates("ada", 6)).await;
    let (ids, groups) = server.with(|service| {
        let ids: Vec<String> = (0..6).map(|at| service.add_user(&format!("eve-{at}"), true)).collect();
        (ids, [0, 1, 2].map(|at| service.add_group(&format!("team-{at}"), &[])))
    });
    let ids: Vec<TargetId> = ids.into_iter().map(TargetId::new).collect();
    for title in ["Boss", "Analyst"] {
        done(target, &renames(&ids, title)).await;
    }
    let some = |count: usize| -> Vec<TargetId> { ids.iter().take(count).cloned().collect() };
    let group = |group: &String| TargetId::new(group.clone());
    let add = |to: &String, count| Step::AddMembers { group: group(to), members: some(count) };
    done(target, &[add(&groups[0], 1)]).await;
    done(target, &groups.iter().map(|group| add(group, 6)).collect::<Vec<_>>()).await;
    let remove = |from: &String, count| Step::RemoveMembers { group: group(from), members: some(count) };
    done(target, &[remove(&groups[0], 1)]).await;
    done(target, &groups.iter().map(|group| remove(group, 2)).collect::<Vec<_>>()).await;
    server.with(|service| {
        assert_eq!(service.users.iter().filter(|user| user["title"] == "Analyst").count(), 6);
        assert_eq!(service.users.len(), 12);
        assert!(
            service.groups.iter().all(|group| group["members"].as_array().is_some_and(|members| members.len() == 4))
        );
    });
}

#[tokio::test]
async fn an_operation_that_spoils_the_request_spoils_it_for_nobody_else() {
    let (server, target) = start(Switches { bulk_poison: Some("mallory-0"), ..offered(1000) }).await;
    probe(&target).await;
    done(&target, &creates("ada", 4)).await;
    let mut steps = creates("bob", 5);
    steps.extend(creates("mallory", 1));
    done(&target, &steps).await;
    assert_eq!(server.with(|service| service.users.len()), 10);
    server.take();
    done(&target, &creates("eve", 5)).await;
    assert_eq!(writes(&server), ["POST /scim/Bulk"], "they work as a rule");
}

#[tokio::test]
async fn a_value_that_reads_like_a_reference_to_another_operation_goes_by_itself() {
    let (server, target) = start(offered(1000)).await;
    probe(&target).await;
    let mut steps = creates("ada", 4);
    let named = attributes(&[("userName", "bob"), ("title", "bulkId:step-0")]);
    steps.push(Step::CreateAccount { attributes: named, enabled: true, password: false });
    server.take();
    done(&target, &steps).await;
    assert_eq!(writes(&server), ["POST /scim/Bulk", "POST /scim/Users"]);
    assert!(server.with(|service| service.users.iter().any(|user| user["title"] == "bulkId:step-0")));
}

#[tokio::test]
async fn a_bulk_request_whose_answer_says_nothing_is_lost_as_a_whole() {
    for status in [500, 502, 504] {
        let (_server, target) = start(Switches { bulk_refused: Some(status), ..offered(1000) }).await;
        probe(&target).await;
        let (outcomes, _) = target.apply(&creates("ada", 3)).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(TargetError::Lost(_)))), "{outcomes:?}");
    }
    let (server, target) = start(offered(1000)).await;
    probe(&target).await;
    server.with(|service| service.switches.answer = Some((200, None, "<html>")));
    let (outcomes, _) = target.apply(&creates("ada", 3)).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(TargetError::Lost(_)))), "{outcomes:?}");
    server.with(|service| service.switches.answer = None);
    assert_eq!(measured(&probe(&target).await, "bulk"), "refused");
}

#[tokio::test]
async fn the_manifest_switches_bulk_requests_off_and_on() {
    for (word, switches, expected) in
        [("Never", offered(1000), 0), ("Use", Switches { no_config: true, ..offered(1000) }, 1)]
    {
        let server = Misbehaving::start(switches).await;
        let mut connector = connector(&server.url());
        connector.settings["scim"]["profile"] = json!({"bulk": word});
        let target = connected_as(&connector).await;
        probe(&target).await;
        server.take();
        done(&target, &creates("ada", 4)).await;
        let requests = writes(&server);
        let bulk = requests.iter().filter(|request| *request == "POST /scim/Bulk").count();
        assert_eq!(bulk, expected, "{word}: {requests:?}");
    }
}

#[tokio::test]
async fn a_strict_server_with_bulk_passes_the_contract() {
    let (_server, target) = start(offered(1000)).await;
    let what = Contract { prefix: "Contract-".into(), crowd: 230, words: Words::scim() };
    assert_eq!(contract(&target, schema(ConnectorKind::Scim), &what).await, vec![]);
}

#[tokio::test]
async fn a_leaver_is_disabled_by_a_request_of_its_own() {
    let (server, target) = start(offered(1000)).await;
    probe(&target).await;
    let ids = done(&target, &creates("ada", 4)).await;
    server.take();
    let steps: Vec<Step> = ids.into_iter().map(|id| Step::DisableAccount { id }).collect();
    done(&target, &steps).await;
    assert!(!writes(&server).contains(&"POST /scim/Bulk".to_owned()));
}

/// On servers that nobody of this project wrote.
#[tokio::test]
async fn bulk_requests_work_on_scim2_server_and_on_scimmy() {
    for program in [Program::scim2_server(), Program::scimmy()] {
        let server = program.require().start().await;
        let proxy = Counting::before(&server).await;
        let target = connected(&proxy.url()).await;
        probe(&target).await;
        let ids = done(&target, &creates("ada", 36)).await;
        for title in ["Boss", "Analyst"] {
            done(&target, &renames(&ids, title)).await;
        }
        let of = |wanted: &str| proxy.count(|_, path| path.ends_with(wanted));
        assert_eq!(of("/Bulk"), 4, "four on trial and then 32: of creates, and of updates once each was shown");
        assert_eq!(measured(&probe(&target).await, "bulk"), "works: creates, updates");
        assert_eq!(probe(&target).await.principal, None);
        for id in &ids {
            assert_eq!(target.read(id).await.0.unwrap().unwrap().text("title"), Some("Analyst"));
        }
        let twice = apply(&target, creates("ada", 1).remove(0)).await;
        assert_eq!(twice, Err(TargetError::Conflict));
        let (outcomes, _) = target.apply(&creates("ada", 3)).await;
        assert_eq!(outcomes, [const { Err(TargetError::Conflict) }; 3]);
    }
}

#[tokio::test]
async fn the_account_that_we_log_in_as_is_known() {
    let (server, target) = start(Switches { me: Some("provost"), ..Switches::default() }).await;
    assert_eq!(probe(&target).await.principal, None);
    let id = server.with(|service| service.add_user("provost", true));
    create(&target, &[("userName", "ada")]).await;
    assert_eq!(probe(&target).await.principal, Some(TargetId::new(id)));
}
