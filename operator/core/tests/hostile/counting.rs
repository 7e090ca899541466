//! An allocator that counts, and what a rule may take of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what one thread allocates.
struct Counting;

thread_local! {
    /// Bytes allocated, whether given back or not.
    static TOTAL: Cell<usize> = const { Cell::new(0) };
    /// Bytes held, and the most that were.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = TOTAL.try_with(|total| total.set(total.get() + layout.size()));
        let _ = HELD.try_with(|held| {
            held.set(held.get() + layout.size().cast_signed());
            let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
        });
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| held.set(held.get() - layout.size().cast_signed()));
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a call allocated in all, and the most that it held at one time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    pub total: usize,
    pub most: usize,
}

pub fn taken<T>(run: impl FnOnce() -> T) -> (T, Taken) {
    let (total, held) = (TOTAL.get(), HELD.get());
    MOST.set(held);
    let result = run();
    let most = usize::try_from(MOST.get() - held).unwrap_or(0);
    (result, Taken { total: TOTAL.get() - total, most })
}

/// Bytes that the check of one rule of 4 KiB may allocate in all, and hold at one time: the tokens, the tree of the parser, our own,
/// and what a pattern compiles to.
pub const CHECKED: Taken = Taken { total: 40 << 20, most: 16 << 20 };
/// The same of one evaluation: its budget, and as much again for what grows while it is made; the caches of a pattern.
pub const EVALUATED: Taken = Taken { total: 4 << 20, most: 2 << 20 };
