use provost_core::model::{Group, Manifest, Meta, Uid};

use super::*;

pub(in crate::watch) const ACME: &str = "acme";

pub(in crate::watch) fn read(name: &str, deleting: bool) -> Read {
    let meta = Meta {
        name: name.into(),
        uid: Uid::from(name),
        generation: 1,
        created: jiff::Timestamp::UNIX_EPOCH,
        deleting: deleting.then_some(jiff::Timestamp::UNIX_EPOCH),
        finalizer: false,
        reconcile_now: None,
        status: None,
    };
    Read { change: Change::Group(Manifest { meta, spec: Ok(Group::default()) }), deleting }
}

fn apply(seen: &mut Collector, kind: ObjectKind, name: &str, now: Instant) -> bool {
    seen.applied(kind, ACME.into(), name.into(), read(name, false), now)
}

pub(in crate::watch) fn list(seen: &mut Collector, kind: ObjectKind, names: &[&str], now: Instant) {
    seen.begin(kind);
    for name in names {
        seen.item(kind, ACME.into(), (*name).into(), read(name, false));
    }
    seen.end(kind, now);
}

/// All kinds listed, with these groups in `acme`, and that delivered.
fn following(groups: &[&str], now: Instant) -> Collector {
    let mut seen = Collector::default();
    for kind in KINDS {
        list(&mut seen, kind, if kind == ObjectKind::Group { groups } else { &[] }, now);
    }
    let first = seen.take(now + GATHER);
    assert!(matches!(&first[..], [Delivery { event: EngineEvent::Listed(_), .. }]), "{first:?}");
    seen
}

fn gone(delivery: &Delivery) -> Vec<String> {
    let (EngineEvent::Changed(changes) | EngineEvent::Listed(changes)) = &delivery.event else { return Vec::new() };
    changes.iter().filter(|c| matches!(c, Change::Gone(_))).map(|c| c.object().name.to_string()).collect()
}

fn count(delivery: &Delivery) -> usize {
    let (EngineEvent::Changed(changes) | EngineEvent::Listed(changes)) = &delivery.event else { return 0 };
    changes.len()
}

#[test]
fn nothing_is_delivered_before_all_four_kinds_were_listed() {
    let now = Instant::now();
    let mut seen = Collector::default();
    for kind in &KINDS[..3] {
        list(&mut seen, *kind, &["a"], now);
        apply(&mut seen, *kind, "b", now);
        assert_eq!(seen.due(), None);
        assert!(seen.take(now + RESTORED_QUIET).is_empty());
    }
    list(&mut seen, KINDS[3], &["a"], now);
    let due = seen.take(now + GATHER);
    assert_eq!(due.len(), 1);
    assert!(matches!(due[0].event, EngineEvent::Listed(_)));
    assert_eq!(count(&due[0]), 7, "the lists, and what was seen since each of them");
    assert!(due[0].check, "the namespace is looked at before its first delivery");
}

#[test]
fn what_goes_before_the_first_delivery_is_not_in_it() {
    let now = Instant::now();
    let mut seen = Collector::default();
    list(&mut seen, ObjectKind::Group, &["a", "b"], now);
    seen.gone(ObjectKind::Group, &ACME.into(), "a".into(), now);
    for kind in KINDS.into_iter().filter(|kind| *kind != ObjectKind::Group) {
        list(&mut seen, kind, &[], now);
    }
    let due = seen.take(now + GATHER);
    assert_eq!((count(&due[0]), gone(&due[0]).len()), (1, 0));
}

#[test]
fn changes_are_gathered_for_some_milliseconds_and_the_latest_of_an_object_stands() {
    let now = Instant::now();
    let mut seen = following(&["a"], now);
    for _ in 0..3 {
        apply(&mut seen, ObjectKind::Group, "a", now);
    }
    apply(&mut seen, ObjectKind::Group, "b", now);
    assert!(seen.take(now).is_empty());
    let due = seen.take(now + GATHER);
    assert!(matches!(due[0].event, EngineEvent::Changed(_)));
    assert_eq!((count(&due[0]), due[0].check), (2, false));
    assert_eq!(seen.due(), None);
}

#[test]
fn a_deletion_and_a_deletion_timestamp_are_checked_first() {
    let now = Instant::now();
    let mut seen = following(&["a", "b"], now);
    seen.gone(ObjectKind::Group, &ACME.into(), "a".into(), now);
    let due = seen.take(now + GATHER);
    assert!(due[0].check);
    assert_eq!(gone(&due[0]), ["a"]);
    seen.applied(ObjectKind::Group, ACME.into(), "b".into(), read("b", true), now);
    assert!(seen.take(now + GATHER)[0].check);
}

#[test]
fn what_is_absent_from_a_later_list_is_gone_and_checked_first() {
    let now = Instant::now();
    let mut seen = following(&["a", "b"], now);
    seen.begin(ObjectKind::Group);
    seen.item(ObjectKind::Group, ACME.into(), "b".into(), read("b", false));
    assert_eq!(seen.due(), None, "nothing follows from half a list");
    seen.end(ObjectKind::Group, now);
    let due = seen.take(now + GATHER);
    assert_eq!(gone(&due[0]), ["a"]);
    assert_eq!((count(&due[0]), due[0].check), (2, true));
}

#[test]
fn a_list_that_failed_half_way_is_begun_again() {
    let now = Instant::now();
    let mut seen = following(&["a", "b"], now);
    seen.begin(ObjectKind::Group);
    list(&mut seen, ObjectKind::Group, &["a", "b"], now);
    assert!(gone(&seen.take(now + GATHER)[0]).is_empty());
}

#[test]
fn a_namespace_that_lost_everything_between_two_lists_is_delivered_empty() {
    let now = Instant::now();
    let mut seen = Collector::new([(ACME.into(), false)]);
    for kind in KINDS {
        seen.begin(kind);
        seen.end(kind, now);
    }
    let due = seen.take(now + GATHER);
    assert!(matches!(&due[0].event, EngineEvent::Listed(changes) if changes.is_empty()), "{due:?}");
    assert!(due[0].check);
}

#[test]
fn a_new_namespace_waits_until_its_kinds_have_arrived() {
    let now = Instant::now();
    let mut seen = Collector::default();
    for kind in KINDS {
        seen.begin(kind);
        seen.end(kind, now);
    }
    apply(&mut seen, ObjectKind::Group, "a", now);
    assert!(seen.take(now + GATHER).is_empty());
    apply(&mut seen, ObjectKind::Identity, "ada", now + GATHER);
    let due = seen.take(now + GATHER + NEW_QUIET);
    assert_eq!(count(&due[0]), 2);
}

#[test]
fn a_restore_is_delivered_once_an_identity_is_back_and_it_has_been_quiet() {
    let now = Instant::now();
    let mut seen = Collector::new([(ACME.into(), true)]);
    for kind in KINDS {
        list(&mut seen, kind, if kind == ObjectKind::Group { &["a"] } else { &[] }, now);
    }
    assert_eq!(seen.due(), None, "without an Identity it has not begun");
    let later = now + RESTORED_QUIET * 3;
    apply(&mut seen, ObjectKind::Identity, "ada", later);
    assert!(seen.take(later + RESTORED_QUIET / 2).is_empty());
    apply(&mut seen, ObjectKind::Identity, "bob", later + RESTORED_QUIET / 2);
    assert!(seen.take(later + RESTORED_QUIET).is_empty());
    let due = seen.take(later + RESTORED_QUIET * 2);
    assert_eq!(count(&due[0]), 3);
}

#[test]
fn a_namespace_is_forgotten_once_it_was_halted_and_the_last_of_its_objects_is_gone_and_is_new_then() {
    let now = Instant::now();
    let mut seen = following(&["a", "b"], now);
    assert!(!seen.forget(ACME), "nobody has said that it is gone");
    seen.halt(ACME);
    seen.gone(ObjectKind::Group, &ACME.into(), "a".into(), now);
    assert!(!seen.forget(ACME), "b is still there");
    seen.begin(ObjectKind::Identity);
    seen.item(ObjectKind::Identity, ACME.into(), "ada".into(), read("ada", false));
    seen.gone(ObjectKind::Group, &ACME.into(), "b".into(), now);
    assert!(!seen.forget(ACME), "a list that is under way has somebody");
    seen.begin(ObjectKind::Identity);
    seen.end(ObjectKind::Identity, now);
    assert!(seen.forget(ACME));
    assert!(!apply(&mut seen, ObjectKind::Group, "c", now), "it is another one, and no reason to list all again");
    let due = seen.take(now + NEW_QUIET);
    assert!(matches!(&due[0].event, EngineEvent::Listed(changes) if changes.len() == 1) && due[0].check, "{due:?}");
    assert!(!Collector::new([(ACME.into(), false)]).forget(ACME), "nothing was listed");
}

#[test]
fn what_was_delivered_before_cannot_be_held_for_a_restore() {
    let now = Instant::now();
    let mut seen = following(&["a"], now);
    seen.gone(ObjectKind::Group, &ACME.into(), "a".into(), now);
    let changed = seen.take(now + GATHER).remove(0);
    assert!(!seen.hold(changed, now), "it must be listed again");
}

#[test]
fn a_halted_namespace_says_nothing_until_something_lives_in_it_again() {
    let now = Instant::now();
    let mut seen = following(&["a", "b"], now);
    seen.gone(ObjectKind::Group, &ACME.into(), "a".into(), now);
    seen.halt(ACME);
    seen.gone(ObjectKind::Group, &ACME.into(), "b".into(), now);
    assert_eq!(seen.due(), None);
    assert!(!seen.applied(ObjectKind::Group, ACME.into(), "b".into(), read("b", true), now), "a last sigh");
    assert!(apply(&mut seen, ObjectKind::Group, "c", now), "lists must be made anew");
}
