//! The lab's mounts: private, with the `/proc` of its pid namespace and an empty tmpfs on `/run`.
//!
//! `/run` is mounted over as a whole, since an ordinary user can not make a folder there to mount on. What the host
//! has in `/run` is therefore not visible in the lab.

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::Step;

/// Prepares the mount namespace that the calling process is alone in.
pub(super) fn prepare() -> Result<(), (Step, Errno)> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(|e| (Step::PrivateMounts, e))?;
    let strict = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("proc"), "/proc", Some("proc"), strict | MsFlags::MS_NOEXEC, none).map_err(|e| (Step::MountProc, e))?;
    mount(Some("dzsim"), "/run", Some("tmpfs"), strict, Some("mode=0755")).map_err(|e| (Step::MountRun, e))
}
