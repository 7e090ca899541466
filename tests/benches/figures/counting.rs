//! An allocator that counts: allocations made, and bytes held, for the parts that ask.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mimalloc::MiMalloc;

static MADE: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);
static COUNTS: AtomicBool = AtomicBool::new(true);

/// Whether it counts from now on. Threads that count in one place wait for each other, which no operator does: where several work it
/// took them a tenth of their time.
pub fn count(yes: bool) {
    COUNTS.store(yes, Ordering::Relaxed);
}

fn counted(made: usize, more: usize, less: usize) {
    if COUNTS.load(Ordering::Relaxed) {
        MADE.fetch_add(made, Ordering::Relaxed);
        HELD.fetch_add(more, Ordering::Relaxed);
        HELD.fetch_sub(less, Ordering::Relaxed);
    }
}

/// The operator's allocator, counted.
pub struct Counting;

// SAFETY: every call is passed on to the allocator as it came.
#[allow(unsafe_code, reason = "an allocator that counts is the only way to see allocations and bytes held")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        counted(1, layout.size(), 0);
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        counted(1, size, layout.size());
        unsafe { MiMalloc.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        counted(0, 0, layout.size());
        unsafe { MiMalloc.dealloc(at, layout) }
    }
}

/// Allocations since the process began.
pub fn made() -> usize {
    MADE.load(Ordering::Relaxed)
}

/// Bytes that are held now, as they were asked for (what the allocator adds is not seen).
pub fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}
