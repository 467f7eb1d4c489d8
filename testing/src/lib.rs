//! Waiting for a fact in a test. A development dependency only: nothing that ships uses it.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let mut asked = 0;
//! let answer = dz_testing::eventually("the third answer", async || {
//!     asked += 1;
//!     if asked == 3 { Ok(asked) } else { Err(asked) }
//! })
//! .await;
//! assert_eq!(answer, 3);
//! # });
//! ```

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// How long a fact may take to become true.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The pause between two probes: the facts waited for have no notification of their own.
const PAUSE: Duration = Duration::from_millis(2);

/// Probes until the answer is there.
///
/// # Panics
/// [`DEADLINE`] has passed; the message holds the last answer.
pub async fn eventually<T, E: Debug>(what: &str, mut probe: impl AsyncFnMut() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(last) => refuse_late(what, start, &last),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// [`eventually`] for a test without a runtime.
///
/// # Panics
/// [`DEADLINE`] has passed; the message holds the last answer.
pub fn eventually_blocking<T, E: Debug>(what: &str, mut probe: impl FnMut() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(last) => refuse_late(what, start, &last),
        }
        std::thread::sleep(PAUSE);
    }
}

fn refuse_late(what: &str, start: Instant, last: &dyn Debug) {
    assert!(start.elapsed() <= DEADLINE, "{what}: still {last:?} after {DEADLINE:?}");
}
