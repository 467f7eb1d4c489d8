//! Measures lateness while a scenario runs: of the process as a whole by a clock that should tick, and of its threads and
//! the roles by how long the kernel let them wait for a processor (`/proc/PID/schedstat`, sched-stats in the kernel's
//! documentation). A kernel that does not count that leaves the clock.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use dz_net::gre::HelperCommand;

use super::{Part, Times, longest};

/// Between two looks. What the threads waited between them counts as one delay, which is as much too long as a wait that
/// was interrupted.
const PERIOD: Duration = Duration::from_millis(100);

/// Threads whose lateness the network sees, as the kernel names them. The others only write files and start processes.
const THREADS: [&str; 5] = ["fabric", "ledger-bank", "ledger-rpc", "tokio-rt-worker", "dzsim"];

/// A thread that measures until it is dropped.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    seen: Mutex<Seen>,
    /// How long tasks have waited so far for the thread that plays them.
    queued: Mutex<Times>,
}

/// What was seen up to the last look.
#[derive(Debug)]
struct Seen {
    /// When the next look is due to begin at the latest.
    due: Instant,
    threads: BTreeMap<u32, (Duration, String)>,
    longest: Times,
}

/// A moment, from which on is counted how long roles wait for a processor.
#[derive(Debug)]
pub struct Moment {
    at: Instant,
    waited: BTreeMap<u32, Duration>,
    queued: Times,
}

impl Moment {
    /// How long it is since.
    pub fn elapsed(&self) -> Duration {
        self.at.elapsed()
    }
}

impl Watch {
    /// Begins to measure.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let shared =
            Arc::new(Shared { stop: AtomicBool::default(), seen: Mutex::new(Seen::begin()), queued: Mutex::default() });
        let watched = Arc::clone(&shared);
        let thread = thread::Builder::new().name("lateness".to_owned()).spawn(move || watched.measure())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What was late the longest at once since this was last asked, up to now: who asks after the process was stopped may
    /// run before the thread that measures.
    pub fn take_longest(&self) -> Times {
        let mut seen = self.shared.lock();
        seen.look();
        std::mem::take(&mut seen.longest)
    }

    /// Enters what another part has measured.
    pub fn note(&self, part: Part, late: Duration) {
        longest(&mut self.shared.lock().longest, part, late);
    }

    /// This moment.
    pub fn moment(&self) -> Moment {
        let waited = processes().map(|(pid, waited, _)| (pid, waited)).collect();
        Moment { at: Instant::now(), waited, queued: self.shared.queued().clone() }
    }

    /// What measures how long the tasks of a thread wait for it: one that plays many hosts is late for each of them when it is
    /// busy with the others, and the kernel does not know. To be run as one of its tasks.
    pub fn measure_queue(&self, thread: &str) -> impl Future<Output = ()> + use<> {
        let (shared, part) = (Arc::clone(&self.shared), Part::Thread(thread.to_owned()));
        async move {
            loop {
                let start = Instant::now();
                tokio::time::sleep(PERIOD).await;
                *shared.queued().entry(part.clone()).or_default() += start.elapsed().saturating_sub(PERIOD);
            }
        }
    }

    /// How long it is since a moment, and how long each role and thread has waited for a processor since: of several
    /// processes of a role that which waited the longest.
    pub fn since(&self, moment: &Moment) -> (Duration, Times) {
        let mut times = Times::new();
        for (pid, waited, part) in processes() {
            let before = moment.waited.get(&pid).copied().unwrap_or_default();
            longest(&mut times, part, waited.saturating_sub(before));
        }
        for (part, queued) in &*self.shared.queued() {
            let before = moment.queued.get(part).copied().unwrap_or_default();
            longest(&mut times, part.clone(), queued.saturating_sub(before));
        }
        (moment.elapsed(), times)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It cannot panic but by a fault of its own, and the run is over.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queued(&self) -> std::sync::MutexGuard<'_, Times> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measure(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            thread::park_timeout(PERIOD);
            self.lock().look();
        }
    }
}

impl Seen {
    fn begin() -> Self {
        Self { due: Instant::now() + PERIOD, threads: threads(), longest: Times::new() }
    }

    fn look(&mut self) {
        // What stops this process may do so while it looks, too: then the next look comes late.
        let now = Instant::now();
        longest(&mut self.longest, Part::Run, now.saturating_duration_since(self.due));
        self.due = now + PERIOD;
        let threads = threads();
        for (thread, (waited, name)) in &threads {
            let new = waited.saturating_sub(self.threads.get(thread).map_or(*waited, |(waited, _)| *waited));
            longest(&mut self.longest, Part::Thread(name.clone()), new);
        }
        self.threads = threads;
    }
}

/// How long each of this process's threads has waited for a processor, by its number.
fn threads() -> BTreeMap<u32, (Duration, String)> {
    let folder = Path::new("/proc/self/task");
    let numbers = numbered(folder).into_iter();
    let one = |number: u32| {
        let folder = folder.join(number.to_string());
        let name = fs::read_to_string(folder.join("comm")).ok()?.trim_end().to_owned();
        let waited = waited(&fs::read_to_string(folder.join("schedstat")).ok()?)?;
        THREADS.contains(&name.as_str()).then_some((number, (waited, name)))
    };
    numbers.filter_map(one).collect()
}

/// How long each process that plays a role, and each thread of this one, has waited for a processor so far. Roles have one
/// thread.
fn processes() -> impl Iterator<Item = (u32, Duration, Part)> {
    let own = threads().into_iter().map(|(number, (waited, name))| (number, waited, Part::Thread(name)));
    let roles = numbered(Path::new("/proc")).into_iter().filter_map(|pid| {
        let folder = Path::new("/proc").join(pid.to_string());
        let words = fs::read(folder.join("cmdline")).ok()?;
        let role = role(&words)?;
        Some((pid, waited(&fs::read_to_string(folder.join("schedstat")).ok()?)?, Part::Role(role)))
    });
    own.chain(roles)
}

/// The role that a process plays, by its command line: `dzsim node ROLE ...`, or the helper that carries a host's tunnels.
fn role(command_line: &[u8]) -> Option<String> {
    let mut words = command_line.split(|byte| *byte == 0).skip(1);
    let role = match words.next()? {
        b"node" => words.next()?,
        word if word == HelperCommand::ARGUMENT.as_bytes() => word,
        _ => return None,
    };
    Some(String::from_utf8_lossy(role).into_owned())
}

/// The second number: nanoseconds in which it could have run and did not.
fn waited(schedstat: &str) -> Option<Duration> {
    Some(Duration::from_nanos(schedstat.split_whitespace().nth(1)?.parse().ok()?))
}

/// The entries of a folder that are numbers.
fn numbered(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        assert_eq!(waited("1200 3400 5\n"), Some(Duration::from_nanos(3400)));
        assert_eq!(waited(""), None);
        assert_eq!(role(b"/usr/bin/dzsim\0node\0agent\0--device\0x\0").as_deref(), Some("agent"));
        assert_eq!(role(b"/usr/bin/dzsim\0scenario\0node\0"), None);
        assert_eq!(role(b"/usr/bin/dzsim\0gre-helper\0").as_deref(), Some("gre-helper"));
        assert_eq!(role(b""), None);
    }

    #[test]
    fn tasks_of_a_busy_thread_have_waited_for_it() {
        let watch = Watch::start().unwrap();
        let moment = watch.moment();
        let busy = Duration::from_millis(300);
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let _measured = tokio::spawn(watch.measure_queue("clients"));
            tokio::task::yield_now().await;
            // Longer than a period, on purpose without letting the others have a turn.
            thread::sleep(PERIOD + busy);
            let part = Part::Thread("clients".to_owned());
            while watch.since(&moment).1.get(&part).is_none_or(|waited| *waited < busy) {
                tokio::task::yield_now().await;
            }
        });
    }

    #[test]
    fn what_was_late_until_now_is_taken_before_the_thread_has_looked() {
        let late = Duration::from_secs(3);
        let seen = Seen { due: Instant::now().checked_sub(late).unwrap(), ..Seen::begin() };
        let shared = Shared { stop: AtomicBool::default(), seen: Mutex::new(seen), queued: Mutex::default() };
        // Without its thread.
        let watch = Watch { shared: Arc::new(shared), thread: None };
        assert!(watch.take_longest().get(&Part::Run).is_some_and(|by| *by >= late));
        assert!(watch.take_longest().get(&Part::Run).is_some_and(|by| *by < late));
    }

    #[test]
    fn what_another_part_measured_counts_once() {
        let watch = Watch::start().unwrap();
        watch.note(Part::Packet, Duration::from_secs(9));
        assert_eq!(watch.take_longest().get(&Part::Packet), Some(&Duration::from_secs(9)));
        assert_eq!(watch.take_longest().get(&Part::Packet), None);
    }
}
