//! `attach PID NODE COMMAND...`: runs a command in a node (or `core`) of the lab with that pid 1, as `hold` prints it.

use std::ffi::OsString;
use std::process::ExitCode;

use dzsim_lab::{Exit, Host, NodeName, attach};
use nix::unistd::Pid;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |what: &str| arguments.next().ok_or_else(|| anyhow::anyhow!("{what} expected"));
    let init = Pid::from_raw(argument("the pid of a lab")?.parse()?);
    let host = match argument("a node")?.as_str() {
        "core" => Host::Core,
        name => Host::Node(NodeName::new(name)?),
    };
    let command: Vec<OsString> = arguments.map(OsString::from).collect();
    let env: Vec<_> = std::env::vars_os().collect();
    Ok(match attach::exec(init, &host, host.as_str(), &command, &env)? {
        Exit::Code(code) => ExitCode::from(code as u8),
        Exit::Signal(_) => ExitCode::FAILURE,
    })
}
