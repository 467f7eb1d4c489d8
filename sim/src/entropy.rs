//! The randomness of the operating system, which a run in virtual time takes from its seed instead.
//!
//! Libraries ask for it where no seed can be passed in: the order in which a `HashMap` is iterated, and in which
//! Tokio wakes those who wait for one value, begin there. The standard library calls `getrandom` by a weak symbol, so
//! that a program may put its own in that place; this is it. Until [`from_seed`] is called it is the system call.

use std::{
    ffi::{c_uint, c_void},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// What comes next, once it comes from a seed. A process runs at most one scenario, so there is one of it.
static STATE: AtomicU64 = AtomicU64::new(0);
static SEEDED: AtomicBool = AtomicBool::new(false);

/// From now on, everything that this process would get from the operating system follows from the seed. Threads that
/// have asked before keep what they got: what is to be repeatable runs in a thread that is started after this.
pub(crate) fn from_seed(seed: u64) {
    STATE.store(seed, Ordering::SeqCst);
    SEEDED.store(true, Ordering::SeqCst);
}

/// SplitMix64.
fn next() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let state = STATE.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// getrandom(2).
///
/// # Safety
/// `buffer` points to `length` octets that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    if !SEEDED.load(Ordering::SeqCst) {
        // SAFETY: the caller's promise is what the system call asks for.
        return unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) } as isize;
    }
    // SAFETY: the caller's promise.
    let octets = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    for chunk in octets.chunks_mut(8) {
        chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]);
    }
    length.cast_signed()
}
