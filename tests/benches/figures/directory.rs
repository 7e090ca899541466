//! The directory alone: everything evaluated, one identity edited, bytes held.

use std::time::Duration;

use jiff::Timestamp;
use provost_core::directory::Directory;

use crate::clock::{Times, processor, timed};
use crate::counting;
use crate::table::Table;
use crate::world::{self, Size};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const USUAL: Size = Size { identities: 100_000, policies: 100, groups: 300, applications: 20 };
/// What is declared, and how often it is evaluated whole.
const SIZES: [(Size, usize); 4] = [
    (Size { identities: 1_000, ..USUAL }, 9),
    (Size { identities: 10_000, ..USUAL }, 5),
    (USUAL, 3),
    (Size { groups: 999, ..USUAL }, 3),
];

pub fn measure(table: &mut Table) {
    for (size, runs) in SIZES {
        let Size { identities, policies, groups, .. } = size;
        let times = Times::new((0..runs).map(|_| load(size).0).collect());
        let before = counting::held();
        let (_, mut directory) = load(size);
        let bytes = counting::held() - before;
        check(&directory, size);

        let what = format!("{identities} identities x {policies} policies x {groups} groups, all evaluated");
        if (identities, groups) == (USUAL.identities, USUAL.groups) {
            table.below(what, times.median().as_secs_f64(), 1.0, "s");
        } else {
            table.shown(what, times.median().as_secs_f64() * 1e3, "ms");
        }
        let times = edits(&mut directory, size);
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        table.below("  one identity edited", micros(times.median()), 50.0, "us");
        table.shown("  slowest of a hundred edits", micros(times.at(99)), "us");
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let each = bytes as f64 / identities as f64;
        table.below("  model held for one identity", each, 800.0, "B");
    }
}

fn load(size: Size) -> (Duration, Directory) {
    let all = world::everything(size);
    let mut directory = Directory::new(provost_connectors::schema);
    let before = processor();
    std::hint::black_box(directory.replace(all, NOW));
    (processor().saturating_sub(before), directory)
}

/// What is measured is what is meant: every rule compiles and matches somebody, everyone is in five groups.
fn check(directory: &Directory, size: Size) {
    assert_eq!(directory.sizes(), [size.identities, size.groups, size.policies, size.applications]);
    for policy in directory.policies() {
        assert!(policy.identities > 0 && policy.unknown == 0, "{policy:?}");
    }
    let groups: usize = directory.identities().map(|identity| identity.groups).sum();
    assert!(groups * 10 / size.identities == 50 || groups / size.identities == 4, "{groups}");
}

/// One identity after another moves to another department, which takes it out of a group and into one.
fn edits(directory: &mut Directory, size: Size) -> Times {
    let times = (0..4_000).map(|turn| {
        let at = turn * 7_919 % size.identities;
        let edit = world::identity(at, &world::department(at + 1 + turn % 7, size), "Engineer");
        timed(|| std::hint::black_box(directory.apply(vec![edit], NOW))).0
    });
    Times::new(times.collect())
}
