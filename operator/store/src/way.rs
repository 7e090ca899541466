//! Who works for long without waiting for anything keeps whoever else was put on the same processor waiting, also while another one is
//! free: Linux moves a thread that has just run there only after a while. Here, since the writer needs it as whoever runs an engine.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Whoever keeps the processor for so long has much to do as well, and takes its share without being let through. What is woken by a
/// request or an answer takes 0.2 to 0.5 ms.
const LONG: Duration = Duration::from_millis(1);

/// After that it is not offered for so many times as long: a neighbour that never ends costs a twentieth of the time at most.
const TIMES: u32 = 20;

/// What stopped the whole process says nothing of neighbours.
const MOST: Duration = Duration::from_millis(50);

thread_local! {
    static NOT_BEFORE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets those run who wait for this processor. For between two pieces of work, each of them far below a millisecond.
pub fn give_way() {
    let began = Instant::now();
    if NOT_BEFORE.get().is_none_or(|at| at <= began) {
        std::thread::yield_now();
        NOT_BEFORE.set(not_before(began, Instant::now()));
    }
}

/// Until when not to give way again, after it took from one moment to another.
fn not_before(began: Instant, ended: Instant) -> Option<Instant> {
    let took = ended.saturating_duration_since(began);
    (took >= LONG).then(|| ended + took.min(MOST) * TIMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_keeps_the_processor_for_long_is_not_let_through_again_for_twenty_times_as_long() {
        let began = Instant::now();
        let after = |micros| began + Duration::from_micros(micros);
        for (took, until) in
            [(0, None), (999, None), (1_000, Some(21_000)), (4_000, Some(84_000)), (60_000_000, Some(61_000_000))]
        {
            assert_eq!(not_before(began, after(took)), until.map(after), "{took} us");
        }
    }

    #[test]
    fn nobody_waits_who_gives_way_while_it_rests() {
        let rests = Instant::now() + Duration::from_mins(1);
        NOT_BEFORE.set(Some(rests));
        give_way();
        assert_eq!(NOT_BEFORE.get(), Some(rests));
        let over = Instant::now();
        NOT_BEFORE.set(Some(over));
        give_way();
        assert_ne!(NOT_BEFORE.get(), Some(over), "it gives way again");
    }
}
