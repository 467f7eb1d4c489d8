//! System calls that neither std nor nix wraps, in one place.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd;

use socket2::Socket;
use tokio::io::unix::AsyncFd;

/// Writes a whole file in one call; allocates nothing, so it may be used between fork and exec.
pub(crate) fn write_file(path: &CStr, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the path is terminated, the buffer outlives the call, and the descriptor is closed once.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let written = libc::write(fd, bytes.as_ptr().cast(), bytes.len());
        let result = if written < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
        libc::close(fd);
        result
    }
}

/// An interface request for `name`, all else zero; a name longer than the kernel takes is refused.
pub(crate) fn ifreq(name: &str) -> io::Result<libc::ifreq> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() >= libc::IFNAMSIZ || bytes.contains(&0) || bytes.contains(&b'/') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("`{name}` is no interface name: expected 1 to {} bytes without `/`", libc::IFNAMSIZ - 1),
        ));
    }
    // SAFETY: ifreq is plain data for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    Ok(request)
}

/// The name in an interface request.
pub(crate) fn ifreq_name(request: &libc::ifreq) -> String {
    let bytes: Vec<u8> = request.ifr_name.iter().map(|c| *c as u8).take_while(|b| *b != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Closes all descriptors from this one on, by close_range(2), for which musl has no function. A kernel before 5.9 refuses,
/// and they stay open.
///
/// # Safety
/// Nobody uses them afterwards.
pub(crate) unsafe fn close_from(first: libc::c_uint) {
    // SAFETY: as the caller says.
    unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
}

/// An interface ioctl of netdevice(7) on a throw-away socket.
pub(crate) fn interface_ioctl(number: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
    let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    // SAFETY: these requests read and write one ifreq, which outlives the call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), number as libc::Ioctl, request as *mut libc::ifreq) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets an interface of the thread's namespace up.
pub(crate) fn set_up(name: &str) -> io::Result<()> {
    let mut request = ifreq(name)?;
    interface_ioctl(libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: the kernel has just filled this member of the union.
    unsafe { request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short };
    interface_ioctl(libc::SIOCSIFFLAGS, &mut request)
}

/// The index of an interface of the thread's namespace.
pub(crate) fn index_of(name: &str) -> io::Result<u32> {
    let mut request = ifreq(name)?;
    interface_ioctl(libc::SIOCGIFINDEX, &mut request)?;
    // SAFETY: the kernel has just filled this member of the union.
    Ok(unsafe { request.ifr_ifru.ifru_ifindex } as u32)
}

/// Sets the MTU of an interface of the thread's namespace, in bytes.
pub(crate) fn set_mtu(name: &str, mtu: u32) -> io::Result<()> {
    let mut request = ifreq(name)?;
    request.ifr_ifru.ifru_mtu = mtu as libc::c_int;
    interface_ioctl(libc::SIOCSIFMTU, &mut request)
}

/// Sets a socket option that is an int.
pub(crate) fn set_option(
    socket: &Socket,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    set_option_bytes(socket, level, option, &value.to_ne_bytes())
}

/// Lets the calling thread no longer interrupt another when it wakes (`SCHED_BATCH`, sched(7)).
pub(crate) fn schedule_as_batch() -> io::Result<()> {
    // All that the kernel's `struct sched_param` has.
    let priority: libc::c_int = 0;
    // SAFETY: the structure outlives the call; 0 is the calling thread. By number, as the function of musl does nothing.
    match unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_BATCH, &raw const priority) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets a socket option that is a structure, given as its bytes.
pub(crate) fn set_option_bytes(
    socket: &Socket,
    level: libc::c_int,
    option: libc::c_int,
    value: &[u8],
) -> io::Result<()> {
    let length = value.len() as libc::socklen_t;
    // SAFETY: the value outlives the call and has the length given.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value.as_ptr().cast(), length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Registers a socket with the runtime, for reading and writing. Must be called on a tokio runtime.
pub(crate) fn asynchronous(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    socket.set_nonblocking(true)?;
    // SAFETY: the socket owns its descriptor, always reports the same one, and moves into the registration.
    Ok(unsafe { AsyncFd::register(socket) }?)
}

/// Reads an option that is one integer.
pub(crate) fn get_option(socket: &Socket, level: libc::c_int, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: value and length outlive the call and describe one integer.
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// Lets a connected datagram or raw socket go again, connect(2).
pub(crate) fn disconnect(socket: &Socket) -> io::Result<()> {
    // SAFETY: sockaddr is plain data for which all zeroes but the family is a value.
    let mut nowhere: libc::sockaddr = unsafe { std::mem::zeroed() };
    nowhere.sa_family = libc::AF_UNSPEC as libc::sa_family_t;
    // SAFETY: the address outlives the call and has the length given.
    let result = unsafe {
        libc::connect(socket.as_raw_fd(), &raw const nowhere, size_of::<libc::sockaddr>() as libc::socklen_t)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Receives from a netlink socket that listens to many namespaces, without waiting: how many bytes of a message, and the
/// number of the namespace that it is of; none for the socket's own.
pub(crate) fn receive_from_namespace(socket: &impl AsRawFd, into: &mut [u8]) -> io::Result<(usize, Option<u32>)> {
    /// Room for one control message with a number, aligned as its header.
    #[repr(C)]
    union Control {
        header: libc::cmsghdr,
        bytes: [u8; 64],
    }
    let mut control = Control { bytes: [0; 64] };
    let mut parts = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    // SAFETY: msghdr is plain data for which all zeroes is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut parts;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<Control>() as _;
    // SAFETY: everything that the header points to outlives the call and has the lengths given.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let mut number = None;
    // SAFETY: the kernel has filled the header, whose control messages these macros walk.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if ((*header).cmsg_level, (*header).cmsg_type) == (libc::SOL_NETLINK, libc::NETLINK_LISTEN_ALL_NSID) {
                number = u32::try_from(libc::CMSG_DATA(header).cast::<libc::c_int>().read_unaligned()).ok();
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok((length, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_becomes_a_batch() {
        let policy = std::thread::spawn(|| {
            schedule_as_batch().unwrap();
            // SAFETY: no pointers; 0 is the calling thread.
            unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) }
        });
        assert_eq!(policy.join().unwrap(), libc::c_long::from(libc::SCHED_BATCH));
    }
}
