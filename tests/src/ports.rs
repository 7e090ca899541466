//! Ports for servers that are told where to listen.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below what Linux and macOS give to whoever asks for any port: nothing else takes one before its server listens, and
/// who asks whether it listens does not connect to itself.
const FIRST: u32 = 16_000;
const COUNT: u32 = 16_000;

/// A port of the loopback that is free and that this process has not given to anybody yet.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that run at once begin far from each other.
    let begin = std::process::id().wrapping_mul(61);
    let free = (0..COUNT).find_map(|_| {
        let turn = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + turn % COUNT).expect("it is below 32,000");
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(port)
    });
    free.expect("a port of the loopback is free")
}
