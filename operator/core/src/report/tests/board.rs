use serde_json::Value;

use super::*;
use crate::model::ObjectRef;

fn identity_ref(name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Identity, name: name.into() }
}

fn application_ref(name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::TargetApplication, name: name.into() }
}

/// What the engine would say of any object: all is well, as far as it goes.
fn well(object: &ObjectRef) -> Summary {
    match object.kind {
        ObjectKind::Identity => Summary::Identity(IdentitySummary::default()),
        ObjectKind::Group => Summary::Group(GroupSummary { members: Some(1), ..GroupSummary::default() }),
        ObjectKind::AccessPolicy => {
            Summary::AccessPolicy(AccessPolicySummary { identities: Some(1), ..AccessPolicySummary::default() })
        }
        ObjectKind::TargetApplication => Summary::TargetApplication(Box::new(TargetApplicationSummary {
            observed: true,
            contact: Contact::Works,
            ..TargetApplicationSummary::default()
        })),
    }
}

fn take(board: &mut Board, second: i64) -> Taken {
    board.take(now(second), usize::MAX, &mut |object| Some(well(object)))
}

/// `ada`, in `wiki`, at this generation.
fn ada(generation: i64, status: Option<Value>) -> Board {
    let mut board = Board::new();
    board.seed(ObjectKind::Identity, &meta("ada", generation, status));
    board.application(&"wiki".into(), true);
    board
}

fn set(board: &mut Board, account: Account) {
    board.set(&"ada".into(), &"wiki".into(), true, account);
}

fn reasons(taken: &Taken) -> Vec<String> {
    let reason = |update: &crate::engine::StatusUpdate| {
        let ready = &update.status["conditions"][0];
        format!("{} {}", update.object.name, ready["reason"].as_str().unwrap())
    };
    taken.updates.iter().map(reason).collect()
}

fn refused() -> Account {
    Account::Failed(Problem::new(Reason::Rejected, "title: too long"))
}

#[test]
fn an_edit_that_is_carried_out_at_once_costs_one_write() {
    let mut board = ada(1, None);
    set(&mut board, Account::Pending(None));
    assert_eq!(take(&mut board, 0).updates, [], "work that is under way may be done in a moment");
    assert_eq!(board.wake(), Some(now(2).mono));
    set(&mut board, Account::Provisioned);
    assert_eq!(reasons(&take(&mut board, 1)), ["ada Provisioned"]);
    assert_eq!(board.wake(), None);
}

#[test]
fn work_that_takes_longer_is_told_and_its_end_is_told_at_once() {
    let mut board = ada(1, None);
    set(&mut board, Account::Pending(None));
    assert_eq!(take(&mut board, 0).updates, []);
    assert_eq!(take(&mut board, 1).updates, []);
    assert_eq!(reasons(&take(&mut board, 2)), ["ada Progressing"]);
    set(&mut board, Account::Provisioned);
    assert_eq!(reasons(&take(&mut board, 3)), ["ada Provisioned"]);
}

#[test]
fn what_changes_neither_ready_nor_the_generation_waits_ten_seconds() {
    let mut board = ada(1, None);
    set(&mut board, Account::Provisioned);
    assert_eq!(reasons(&take(&mut board, 0)), ["ada Provisioned"]);
    for (second, application) in [(1, "chat"), (2, "mail"), (3, "news")] {
        board.set(&"ada".into(), &application.into(), true, Account::Provisioned);
        assert_eq!(take(&mut board, second).updates, []);
    }
    assert_eq!(board.wake(), Some(now(10).mono));
    let taken = take(&mut board, 10);
    assert_eq!(taken.updates.len(), 1);
    assert_eq!(taken.updates[0].status["accounts"]["summary"], "4/4");
    assert_eq!(take(&mut board, 20).updates, []);
}

#[test]
fn a_new_generation_is_told_at_once_though_nothing_else_changed() {
    let mut board = ada(1, None);
    set(&mut board, Account::Provisioned);
    take(&mut board, 0);
    board.seed(ObjectKind::Identity, &meta("ada", 2, None));
    let taken = take(&mut board, 1);
    assert_eq!(taken.updates[0].status["observedGeneration"], 2);
    assert_eq!(taken.updates[0].status["conditions"][0]["observedGeneration"], 2);
}

#[test]
fn a_change_that_is_taken_back_before_it_was_told_is_never_told() {
    let mut board = ada(1, None);
    set(&mut board, Account::Provisioned);
    take(&mut board, 0);
    set(&mut board, Account::Pending(None));
    assert_eq!(take(&mut board, 1).updates, []);
    set(&mut board, Account::Provisioned);
    assert_eq!(take(&mut board, 2).updates, []);
    assert_eq!(take(&mut board, 60), Taken::default());
}

#[test]
fn an_account_that_came_to_be_wanted_is_told_before_it_is_decided_and_one_that_is_there_stands() {
    let mut board = ada(1, None);
    assert_eq!(reasons(&take(&mut board, 0)), ["ada NothingMatched"]);
    set(&mut board, Account::Unknown);
    assert_eq!(take(&mut board, 1).updates, [], "it may be decided in a moment");
    assert_eq!(reasons(&take(&mut board, 3)), ["ada Progressing"]);
    set(&mut board, Account::Provisioned);
    assert_eq!(reasons(&take(&mut board, 4)), ["ada Provisioned"]);
    // Its policy was edited: until its turn, what was said of it stands.
    set(&mut board, Account::Unknown);
    assert_eq!(take(&mut board, 60).updates, []);
    // Another one is wanted as well.
    board.set(&"ada".into(), &"chat".into(), true, Account::Unknown);
    assert_eq!(take(&mut board, 61).updates, []);
    assert_eq!(reasons(&take(&mut board, 63)), ["ada Progressing"]);
}

#[test]
fn a_write_that_failed_is_made_again() {
    let mut board = ada(1, None);
    set(&mut board, Account::Provisioned);
    let first = take(&mut board, 0);
    board.failed(&identity_ref("ada"), now(1));
    assert_eq!(take(&mut board, 1).updates, [], "not in the same moment");
    assert_eq!(take(&mut board, 3).updates, first.updates);
}

#[test]
fn a_restart_over_the_same_state_writes_nothing_and_publishes_nothing() {
    let mut before = ada(1, None);
    before.seed(ObjectKind::TargetApplication, &meta("wiki", 1, None));
    set(&mut before, refused());
    let written = take(&mut before, 5).updates.into_iter().chain(take(&mut before, 10).updates);
    let written: BTreeMap<_, _> = written.map(|update| (update.object, update.status)).collect();
    assert_eq!(written.len(), 2);

    let mut after = ada(1, Some(written[&identity_ref("ada")].clone()));
    after.seed(ObjectKind::TargetApplication, &meta("wiki", 1, Some(written[&application_ref("wiki")].clone())));
    set(&mut after, Account::Unknown);
    for second in [1_000, 1_010] {
        assert_eq!(take(&mut after, second), Taken::default(), "not decided yet: what is there stands");
    }
    set(&mut after, refused());
    assert_eq!(take(&mut after, 2_000), Taken::default(), "the same again");
    set(&mut after, Account::Provisioned);
    assert_eq!(reasons(&take(&mut after, 3_000)), ["wiki Synced", "ada Provisioned"]);
}

#[test]
fn an_identity_that_was_edited_while_a_target_cannot_be_asked_is_under_way() {
    let mut before = ada(1, None);
    set(&mut before, Account::Provisioned);
    let status = take(&mut before, 0).updates.remove(0).status;
    let mut after = ada(2, Some(status));
    set(&mut after, Account::Unknown);
    assert_eq!(take(&mut after, 10).updates, []);
    assert_eq!(reasons(&take(&mut after, 12)), ["ada Progressing"]);
}

#[test]
fn what_goes_wrong_is_told_though_another_application_cannot_be_asked() {
    let mut before = ada(1, None);
    set(&mut before, Account::Provisioned);
    before.set(&"ada".into(), &"chat".into(), true, Account::Provisioned);
    let status = take(&mut before, 0).updates.remove(0).status;
    let mut after = ada(1, Some(status));
    set(&mut after, Account::Unknown);
    after.set(&"ada".into(), &"chat".into(), true, refused());
    assert_eq!(take(&mut after, 10).updates, []);
    let taken = take(&mut after, 12);
    assert_eq!((reasons(&taken), taken.notes.len()), (vec!["ada Rejected".to_owned()], 1));

    // Told once, it stands as well as any other: not even the counters are written before all is known.
    set(&mut after, Account::Provisioned);
    take(&mut after, 40);
    let status = take(&mut after, 42).updates.remove(0).status;
    let mut again = ada(1, Some(status));
    set(&mut again, Account::Unknown);
    again.set(&"ada".into(), &"chat".into(), true, refused());
    for second in [10, 20] {
        assert_eq!(take(&mut again, second), Taken::default());
    }
}

#[test]
fn an_application_under_work_says_so_once_it_was_known() {
    let mut board = ada(1, None);
    board.seed(ObjectKind::TargetApplication, &meta("wiki", 1, None));
    set(&mut board, Account::Provisioned);
    assert_eq!(reasons(&take(&mut board, 0)), ["wiki Synced", "ada Provisioned"]);
    set(&mut board, Account::Unknown);
    assert_eq!(take(&mut board, 20).updates, []);
    assert_eq!(reasons(&take(&mut board, 22)), ["wiki Progressing"], "the identity's word stands until its turn");
}

#[test]
fn an_application_that_cannot_be_reached_says_why_also_when_that_is_another_cause_of_the_same_reason() {
    let fails = |message: &str| {
        let contact = Contact::Fails(Problem::new(Reason::Unauthorized, message));
        Summary::TargetApplication(Box::new(TargetApplicationSummary {
            contact,
            ..TargetApplicationSummary::default()
        }))
    };
    let mut board = Board::new();
    board.seed(ObjectKind::TargetApplication, &meta("wiki", 1, None));
    let mut say = |second: i64, message: &str| {
        board.mark(&application_ref("wiki"));
        let taken = board.take(now(second), usize::MAX, &mut |_| Some(fails(message)));
        taken.updates.first().map(|update| update.status["conditions"][0]["message"].to_string())
    };
    assert_eq!(say(0, "wrong password").as_deref(), Some("\"wrong password\""));
    assert_eq!(say(20, "wrong password"), None);
    assert_eq!(say(40, "no rights").as_deref(), Some("\"no rights\""));
}

#[test]
fn an_event_says_what_went_wrong_once_and_that_it_is_well_again() {
    let mut board = ada(1, None);
    set(&mut board, Account::Provisioned);
    assert_eq!(take(&mut board, 0).notes, [], "that all is well from the start is no event");
    set(&mut board, refused());
    assert_eq!(take(&mut board, 20).notes, []);
    let notes = take(&mut board, 22).notes;
    assert_eq!(notes.len(), 1);
    assert_eq!((notes[0].warning, &*notes[0].reason), (true, "Rejected"));
    assert_eq!(&*notes[0].message, "wiki: title: too long");
    set(&mut board, Account::Failed(Problem::new(Reason::Rejected, "title: still too long")));
    assert_eq!(take(&mut board, 60).notes, []);
    let taken = take(&mut board, 70);
    assert_eq!((taken.updates.len(), taken.notes.len()), (1, 0), "the same reason again is no event");
    set(&mut board, Account::Provisioned);
    let notes = take(&mut board, 80).notes;
    assert_eq!((notes[0].warning, &*notes[0].reason), (false, "Provisioned"));
}

#[test]
fn who_was_told_to_wait_for_the_application_is_told_what_comes_of_that_until_it_was_decided() {
    let mut board = ada(1, None);
    set(&mut board, Account::Unknown);
    let mut said = Vec::new();
    let whys = [Some(Reason::Unauthorized), None, Some(Reason::TargetUnreachable), None];
    for (second, why) in (0..).step_by(60).zip(whys) {
        board.stopped(&"wiki".into(), why);
        // Work under way is told after a moment.
        said.extend(reasons(&take(&mut board, second)));
        said.extend(reasons(&take(&mut board, second + 12)));
    }
    assert_eq!(said, ["ada Unauthorized", "ada Progressing", "ada TargetUnreachable", "ada Progressing"]);
    set(&mut board, Account::Provisioned);
    assert_eq!(reasons(&take(&mut board, 300)), ["ada Provisioned"]);
    set(&mut board, Account::Unknown);
    board.stopped(&"wiki".into(), Some(Reason::Unauthorized));
    assert_eq!(take(&mut board, 400), Taken::default(), "whether something is left to do is not known");
}

#[test]
fn the_first_failure_of_ones_own_after_what_the_application_published_is_an_event() {
    let mut board = ada(1, None);
    set(&mut board, Account::Unknown);
    board.stopped(&"wiki".into(), Some(Reason::Unauthorized));
    let taken = take(&mut board, 0);
    assert_eq!((reasons(&taken), taken.notes), (vec!["ada Unauthorized".to_owned()], vec![]));
    board.stopped(&"wiki".into(), None);
    set(&mut board, refused());
    let mut notes = take(&mut board, 60).notes;
    notes.extend(take(&mut board, 62).notes);
    assert_eq!(notes.len(), 1);
    assert_eq!((notes[0].warning, &*notes[0].reason), (true, "Rejected"));
}

#[test]
fn an_identity_whose_own_spec_is_invalid_has_its_event_also_where_it_waits_for_an_application_that_is() {
    let mut board = ada(1, None);
    set(&mut board, Account::Unknown);
    board.stopped(&"wiki".into(), Some(Reason::InvalidSpec));
    let own = Problem::new(Reason::InvalidSpec, "spec.userName: has a blank");
    let summary = IdentitySummary { problems: vec![own], ..IdentitySummary::default() };
    let notes = board.take(now(0), 10, &mut |_| Some(Summary::Identity(summary.clone()))).notes;
    assert_eq!(notes.len(), 1);
    assert_eq!((notes[0].warning, &*notes[0].message), (true, "spec.userName: has a blank"));
}

#[test]
fn those_who_wait_for_an_edit_or_for_an_application_are_not_kept_behind_the_many() {
    let mut board = Board::new();
    for name in ["ada", "bob", "cy", "dee"] {
        board.seed(ObjectKind::Identity, &meta(name, 1, None));
    }
    board.seed(ObjectKind::TargetApplication, &meta("wiki", 1, None));
    board.seed(ObjectKind::Identity, &meta("dee", 2, None));
    let mut told = Vec::new();
    while let taken @ Taken { .. } = board.take(now(0), 1, &mut |object| Some(well(object)))
        && !taken.updates.is_empty()
    {
        told.extend(reasons(&taken));
    }
    assert_eq!(
        told,
        ["wiki Synced", "dee NothingMatched", "ada NothingMatched", "bob NothingMatched", "cy NothingMatched"]
    );
}

#[test]
fn an_application_that_leaves_mode_enforce_or_goes_does_not_count_any_more() {
    let mut board = ada(1, None);
    set(&mut board, refused());
    take(&mut board, 0);
    assert_eq!(reasons(&take(&mut board, 2)), ["ada Rejected"]);
    board.application(&"wiki".into(), false);
    assert_eq!(reasons(&take(&mut board, 3)), ["ada NothingMatched"]);
    board.application(&"wiki".into(), true);
    take(&mut board, 20);
    assert_eq!(reasons(&take(&mut board, 22)), ["ada Rejected"]);
    board.forget(&application_ref("wiki"));
    assert_eq!(reasons(&take(&mut board, 23)), ["ada NothingMatched"]);
}

#[test]
fn an_object_that_is_gone_is_not_written_and_one_of_the_same_name_starts_anew() {
    let mut board = ada(1, None);
    set(&mut board, Account::Provisioned);
    board.forget(&identity_ref("ada"));
    assert_eq!(take(&mut board, 0).updates, []);
    assert_eq!(board.counts(&"wiki".into()).provisioned, 1, "the account is still there");
    let mut other = meta("ada", 1, None);
    other.uid = "another".into();
    board.seed(ObjectKind::Identity, &other);
    let taken = take(&mut board, 1);
    assert_eq!(taken.updates[0].uid, "another".into());
}

proptest! {
    #[test]
    fn whatever_happened_once_it_is_quiet_what_was_sent_is_what_a_new_board_would_send(
        steps in vec((prop::sample::select(vec!["ada", "bob", "cy"]), account(), any::<bool>(), 0..4_i64, 0..3_usize), 1..30),
    ) {
        let mut board = Board::new();
        let mut sent: BTreeMap<ObjectRef, Value> = BTreeMap::new();
        for name in ["ada", "bob", "cy"] {
            board.seed(ObjectKind::Identity, &meta(name, 1, None));
        }
        board.seed(ObjectKind::TargetApplication, &meta("wiki", 1, None));
        let mut second = 0;
        let mut last = BTreeMap::new();
        for (name, account, desired, pause, max) in steps {
            // Undecided accounts leave what was sent standing: another test.
            let account = if account == Account::Unknown { Account::Retained } else { account };
            board.set(&name.into(), &"wiki".into(), desired, account.clone());
            last.insert(name, (desired, account));
            second += pause;
            for update in board.take(now(second), max, &mut |object| Some(well(object))).updates {
                if max == 2 {
                    board.failed(&update.object, now(second));
                } else {
                    sent.insert(update.object, update.status);
                }
            }
        }
        for _ in 0..3 {
            second += 20;
            sent.extend(take(&mut board, second).updates.into_iter().map(|update| (update.object, update.status)));
        }
        prop_assert_eq!(board.wake(), None);
        let mut anew = Board::new();
        for (object, status) in &sent {
            anew.seed(object.kind, &meta(object.name.as_str(), 1, Some(status.clone())));
        }
        for (name, (desired, account)) in last {
            anew.set(&name.into(), &"wiki".into(), desired, account);
        }
        prop_assert_eq!(sent.len(), 4);
        prop_assert_eq!(take(&mut anew, second + 100).updates, vec![]);
    }
}
