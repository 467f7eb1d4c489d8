//! The processes below one: their processor time and memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

/// The processes below one, without it.
pub fn descendants(root: u32) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let pids = fs::read_dir("/proc").into_iter().flatten();
    let pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for pid in pids {
        // The second field is a name in parentheses, which may hold anything; the parent is the second after it.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeSet::new();
    let mut left = vec![root];
    while let Some(pid) = left.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            found.insert(child);
            left.push(child);
        }
    }
    found
}

/// The processor time so far of each thread of a process and of those below it.
///
/// In nanoseconds (`/proc/PID/task/TID/schedstat`): the clock ticks of `/proc/PID/stat` are as long as a role of an idle
/// network runs in seconds. A thread that ends takes its count with it.
#[derive(Clone, Debug)]
pub struct ProcessorTime {
    by_thread: BTreeMap<(u32, u32), u64>,
}

impl ProcessorTime {
    /// As it is now.
    pub fn of(root: u32) -> Self {
        let mut by_thread = BTreeMap::new();
        for pid in descendants(root).into_iter().chain([root]) {
            // What ends while it is looked at is left out.
            for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                let nanos = text.split(' ').next().and_then(|field| field.parse().ok());
                let thread = task.file_name().to_str().and_then(|name| name.parse().ok());
                if let (Some(thread), Some(nanos)) = (thread, nanos) {
                    by_thread.insert((pid, thread), nanos);
                }
            }
        }
        Self { by_thread }
    }

    /// The time since an earlier look; none if the kernel does not count it.
    pub fn since(&self, earlier: &Self) -> Option<Duration> {
        if self.by_thread.values().all(|nanos| *nanos == 0) {
            return None;
        }
        let before = |thread| earlier.by_thread.get(thread).copied().unwrap_or_default();
        let used = self.by_thread.iter().map(|(thread, nanos)| nanos.saturating_sub(before(thread)));
        Some(Duration::from_nanos(used.sum()))
    }
}

/// The memory of a process and of those below it, in bytes; what several share counts once.
///
/// # Errors
/// One of them may not be looked at.
pub fn memory_bytes(root: u32) -> io::Result<u64> {
    let mut kib = 0;
    for pid in descendants(root).into_iter().chain([root]) {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // It ended in between.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => continue,
            Err(error) => return Err(io::Error::new(error.kind(), format!("{path}: {error}"))),
        };
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib += number.ok_or_else(|| io::Error::other(format!("{path}: no line `Pss:` in kB")))?;
    }
    Ok(kib << 10)
}

/// The memory that a process and those below it have at most, as far as a look every quarter of a second shows it.
#[derive(Debug)]
pub struct Peak {
    /// The thread looks until this is dropped.
    stop: mpsc::Sender<()>,
    thread: JoinHandle<io::Result<u64>>,
}

impl Peak {
    /// Begins to look.
    pub fn of(root: u32) -> Self {
        const BETWEEN: Duration = Duration::from_millis(250);
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let mut peak = memory_bytes(root)?;
            while stopped.recv_timeout(BETWEEN) == Err(RecvTimeoutError::Timeout) {
                peak = peak.max(memory_bytes(root)?);
            }
            Ok(peak)
        });
        Self { stop, thread }
    }

    /// Stops looking; in bytes.
    ///
    /// # Errors
    /// One of the processes may not be looked at.
    pub fn bytes(self) -> io::Result<u64> {
        drop(self.stop);
        self.thread.join().map_err(|_| io::Error::other("the thread that looks has panicked"))?
    }
}
