//! Tunnels made by the helper process: the client's side.
//!
//! Each request is a connection of its own, so nothing has to be repaired when the helper was replaced in between. The
//! helper is started when a tunnel is made and none is there; it outlives the process that started it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream as StdUnixStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

use super::control::{Request, Response, SOCKET_NAME, check_peer, frame, unframe};
use super::helper::READY;
use super::{Dataplane, Discard, Tunnel, TunnelError, TunnelSpec, Tunnels, Unsupported};
use crate::netns::NetNs;

/// How long a helper may take from its start to its first answer.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// How the helper is started: a program that calls [`super::helper::serve`] when given these arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelperCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl HelperCommand {
    /// A program with its arguments.
    pub fn new<A: Into<OsString>>(program: impl Into<PathBuf>, args: impl IntoIterator<Item = A>) -> Self {
        Self { program: program.into(), args: args.into_iter().map(Into::into).collect() }
    }

    /// This very program with other arguments, for multi-call binaries.
    ///
    /// # Errors
    /// The path of this program is not known.
    pub fn this_program<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> io::Result<Self> {
        Ok(Self::new(std::env::current_exe()?, args))
    }

    /// The command that was given, or this program with the argument [`HelperCommand::ARGUMENT`]: every program that
    /// makes tunnels is the helper when it is given that.
    ///
    /// # Errors
    /// None was given, and the path of this program is not known.
    pub fn or_this_program(given: Option<&Self>) -> io::Result<Self> {
        given.map_or_else(|| Self::this_program([Self::ARGUMENT]), |given| Ok(given.clone()))
    }

    /// What makes a program the helper.
    pub const ARGUMENT: &str = "gre-helper";
}

impl FromStr for HelperCommand {
    type Err = EmptyCommand;

    /// A program and its arguments, separated by spaces.
    fn from_str(text: &str) -> Result<Self, EmptyCommand> {
        let mut words = text.split_whitespace();
        words.next().map(|program| Self::new(program, words)).ok_or(EmptyCommand)
    }
}

/// A command without a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a program and its arguments, separated by spaces")]
pub struct EmptyCommand;

/// What [`Userspace::open`] says where there are no TUN devices.
pub const UNSUPPORTED: Unsupported = Unsupported {
    backend: "userspace",
    missing: "/dev/net/tun cannot be opened",
    fix: "load the module: `modprobe tun`; and let the user read and write /dev/net/tun",
};

/// The helper's tunnels in one namespace.
#[derive(Clone, Debug)]
pub struct Userspace {
    helper: HelperCommand,
    /// That of whichever thread asks, if none.
    ns: Option<NetNs>,
}

impl Userspace {
    /// The tunnels of the namespace of whichever thread asks. Starts nothing yet; fails where TUN devices cannot be made.
    ///
    /// # Errors
    /// [`TunnelError`]: there are no TUN devices, or the helper does not start or answer.
    pub fn open(helper: HelperCommand) -> Result<Self, TunnelError> {
        Self::open_where(helper, None)
    }

    /// The tunnels of `ns`, from wherever the caller is. Starts nothing yet; fails where TUN devices cannot be made.
    ///
    /// # Errors
    /// [`TunnelError`]: there are no TUN devices, or the helper does not start or answer.
    pub fn open_in(ns: NetNs, helper: HelperCommand) -> Result<Self, TunnelError> {
        Self::open_where(helper, Some(ns))
    }

    fn open_where(helper: HelperCommand, ns: Option<NetNs>) -> Result<Self, TunnelError> {
        match std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
            Ok(_) => Ok(Self { helper, ns }),
            Err(_) => Err(TunnelError::Unsupported(UNSUPPORTED)),
        }
    }

    /// Has the helper hold, or let go of, the socket without which the kernel forwards no multicast (see
    /// [`crate::mroute`]); it stays as long as it does. Refused while another process holds it.
    ///
    /// # Errors
    /// [`TunnelError`]: there are no TUN devices, or the helper does not start or answer.
    pub async fn hold_multicast(&self, hold: bool) -> Result<(), TunnelError> {
        let request = Request::HoldMulticast(hold);
        let response = match hold {
            true => Some(self.ask_started(&request).await?),
            false => self.ask(&request).await?,
        };
        match response {
            Some(Response::MulticastHeld(_)) | None => Ok(()),
            Some(other) => Err(unexpected(other)),
        }
    }

    /// Asks the helper that runs; none if none does.
    async fn ask(&self, request: &Request) -> Result<Option<Response>, TunnelError> {
        self.ask_over(self.connect(), request).await
    }

    async fn ask_over(
        &self,
        connection: io::Result<StdUnixStream>,
        request: &Request,
    ) -> Result<Option<Response>, TunnelError> {
        tracing::trace!(?request, "ask the gre helper");
        let answered = match connection {
            Ok(stream) => exchange(stream, request).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(response) => Ok(Some(response)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(source) => Err(TunnelError::Helper { what: "no answer", source }),
        }
    }

    /// Asks the helper, and starts it as often as it is found to be gone until the deadline.
    async fn ask_started(&self, request: &Request) -> Result<Response, TunnelError> {
        let deadline = Instant::now() + START_DEADLINE;
        let mut connection = self.connect();
        loop {
            if let Some(response) = self.ask_over(connection, request).await? {
                return Ok(response);
            }
            let failed = |source| TunnelError::Helper { what: "cannot start", source };
            if Instant::now() > deadline {
                return Err(failed(io::Error::new(io::ErrorKind::TimedOut, "it starts but does not stay")));
            }
            self.start().await.map_err(failed)?;
            // The winner of two that start at once may have bound its name and not be listening yet. What finds that it
            // listens is the connection that asks: once it was called and the caller has left, it ends.
            connection = self.connect();
            while matches!(&connection, Err(error) if is_gone(error)) && Instant::now() < deadline {
                sleep(Duration::from_millis(1)).await;
                connection = self.connect();
            }
        }
    }

    fn connect(&self) -> io::Result<StdUnixStream> {
        match &self.ns {
            Some(ns) => ns.run(connect).map_err(io::Error::other)?,
            None => connect(),
        }
    }

    /// Starts the helper and returns when it listens or has found that another does.
    ///
    /// Nothing runs between fork and exec: then the standard library starts it without copying the page tables of this
    /// process, which can be one that hosts a thousand clients. So the thread that starts it enters the namespace, and the
    /// helper itself leaves the session.
    async fn start(&self) -> io::Result<()> {
        let helper = &self.helper;
        tracing::debug!(program = %helper.program.display(), "start the gre helper");
        let mut command = Command::new(&helper.program);
        command
            .args(&helper.args)
            .env_remove("LISTEN_FDS")
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let runtime = Handle::current();
        let mut spawn = || {
            let _inside = runtime.enter();
            command.spawn()
        };
        // Let go of, it is reaped by the runtime when it ends, or adopted by init when this process does.
        let mut child = match &self.ns {
            Some(ns) => ns.run(spawn).map_err(io::Error::other)??,
            None => spawn()?,
        };
        let output = child.stdout.take().ok_or_else(|| io::Error::other("it has no standard output"))?;
        let mut lines = BufReader::new(output).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if line == READY {
                    return Ok(());
                }
            }
            Err(io::Error::other("it ended before it was ready; its standard error says why"))
        };
        timeout(START_DEADLINE, ready).await?
    }
}

#[async_trait]
impl Tunnels for Userspace {
    fn dataplane(&self) -> Dataplane {
        Dataplane::Userspace
    }

    async fn create(&self, spec: &TunnelSpec) -> Result<Tunnel, TunnelError> {
        spec.check()?;
        match self.ask_started(&Request::Create(spec.clone())).await? {
            Response::Created(tunnel) => Ok(tunnel),
            other => Err(unexpected(other)),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), TunnelError> {
        match self.ask(&Request::Delete { name: name.to_owned() }).await? {
            Some(Response::Deleted) => Ok(()),
            Some(other) => Err(unexpected(other)),
            None => Err(TunnelError::NotFound { name: name.to_owned() }),
        }
    }

    async fn list(&self) -> Result<Vec<Tunnel>, TunnelError> {
        match self.ask(&Request::List).await? {
            Some(Response::Tunnels(tunnels)) => Ok(tunnels),
            Some(other) => Err(unexpected(other)),
            None => Ok(Vec::new()),
        }
    }

    async fn discards(&self) -> Result<BTreeMap<Discard, u64>, TunnelError> {
        match self.ask(&Request::Discards).await? {
            Some(Response::Discards(discards)) => Ok(discards),
            Some(other) => Err(unexpected(other)),
            None => Ok(BTreeMap::new()),
        }
    }
}

fn unexpected(response: Response) -> TunnelError {
    match response {
        Response::Refused(refusal) => refusal.into(),
        other => TunnelError::Helper {
            what: "unexpected answer",
            source: io::Error::new(io::ErrorKind::InvalidData, format!("{other:?}")),
        },
    }
}

/// Whether an error means that no helper is there, or that it left before it read the request.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
    matches!(error.kind(), ConnectionRefused | NotFound | ConnectionReset | BrokenPipe | UnexpectedEof)
}

fn connect() -> io::Result<StdUnixStream> {
    let stream = StdUnixStream::connect_addr(&SocketAddr::from_abstract_name(SOCKET_NAME)?)?;
    check_peer(&stream)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

async fn exchange(stream: StdUnixStream, request: &Request) -> io::Result<Response> {
    let mut stream = UnixStream::from_std(stream)?;
    let answer = async {
        stream.write_all(&frame(request)?).await?;
        let mut buffer = Vec::new();
        loop {
            if let Some(response) = unframe(&mut buffer)? {
                return Ok(response);
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    };
    timeout(START_DEADLINE, answer).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_program_and_its_arguments() {
        assert_eq!("/bin/dz  gre-helper".parse(), Ok(HelperCommand::new("/bin/dz", ["gre-helper"])));
        assert_eq!(" ".parse::<HelperCommand>(), Err(EmptyCommand));
    }

    #[test]
    fn without_a_command_this_program_is_the_helper() {
        let given = HelperCommand::new("/bin/dz", ["x"]);
        assert_eq!(HelperCommand::or_this_program(Some(&given)).unwrap(), given);
        let this = HelperCommand::new(std::env::current_exe().unwrap(), ["gre-helper"]);
        assert_eq!(HelperCommand::or_this_program(None).unwrap(), this);
    }
}
