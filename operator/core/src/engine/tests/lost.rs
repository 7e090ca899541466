//! Answers that were lost, and targets that go away and come back.

use serde_json::json;

use super::{World, declared, identity, scientist};
use crate::engine::EngineEvent;

#[test]
fn a_create_whose_answer_was_lost_is_found_soon_after_the_target_is_back_however_long_it_was_gone() {
    for outage in (5..300).step_by(5) {
        let mut world = World::new();
        world.list(&declared(&[]));
        world.pass(30);
        let change = world.change(&identity("ada", 1, &scientist("Analyst")));
        (world.lose, world.goes) = (true, true);
        world.tell(EngineEvent::Changed(vec![change]));
        world.lose = false;
        world.pass(outage);
        assert_eq!(world.account("ada"), "Pending");
        assert_eq!(world.accounts.len(), 1, "it was made before the target went away");
        world.reachable = true;
        world.pass(25);
        assert_eq!(world.written("ada").last().unwrap(), "True Provisioned", "after {outage} s");
        assert_eq!(world.accounts.len(), 1, "and nothing was made twice");
    }
}

#[test]
fn nobody_takes_a_user_name_that_a_rename_whose_answer_was_lost_may_still_take() {
    let named = |user_name: &str| json!({"department": "Science", "userName": user_name});
    let mut world = World::new();
    world.list(&declared(&[identity("ada", 1, &named("countess"))]));
    world.pass(30);
    // Ada's rename is lost before it is done, and reads by id fail for a while.
    (world.lose, world.done, world.reads) = (true, false, false);
    let change = world.change(&identity("ada", 2, &named("lovelace")));
    world.tell(EngineEvent::Changed(vec![change]));
    (world.lose, world.done) = (false, true);
    world.pass(1);
    // Meanwhile she is to be called otherwise, and somebody else asks for that name.
    let changes = [identity("ada", 3, &named("augusta")), identity("other", 1, &named("lovelace"))];
    let changes = changes.iter().map(|object| world.change(object)).collect();
    world.tell(EngineEvent::Changed(changes));
    world.pass(5);
    assert_eq!((world.account("other").as_str(), world.accounts.len()), ("Pending", 1));
    world.reads = true;
    world.pass(60);
    assert_eq!((world.account("ada").as_str(), world.account("other").as_str()), ("Provisioned", "Provisioned"));
    let mut held: Vec<_> = world.accounts.values().filter_map(|account| account.text("userName")).collect();
    held.sort_unstable();
    assert_eq!(held, ["augusta", "lovelace"]);
}
