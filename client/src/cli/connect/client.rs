//! Completion of every change to this client's tunnels: waiting until chain and daemon show it.

use std::{collections::BTreeMap, io::Write, net::Ipv4Addr};

use dz_sdk::{
    Ledger, NetworkView, build,
    instruction::decided_on,
    program::{
        instruction::{MAX_ROLES_PER_INSTRUCTION, RoleChange},
        state::{DeviceStatus, Roles, User, UserStatus},
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{request::forbidden_role, roles, seat::Seat};
use crate::{
    api::{Daemon, Service, Session, Status},
    cli::{
        deadline::{ACTIVATOR, Waiting},
        error::CommandError,
        output::{self, Format},
        status::TunnelRow,
    },
};

/// How often roles that another command takes back are set again.
const ATTEMPTS: usize = 5;
/// What is waited for after a change that the activator has a say in.
const ACTIVATED: &str = "the tunnel to be activated";

/// What a tunnel has to have once the activator has done its part.
#[derive(PartialEq, Eq)]
struct Granted {
    dz_ip: Ipv4Addr,
    /// Wanted roles by code of the group.
    groups: BTreeMap<String, RoleChange>,
}

impl Granted {
    /// What a user has; none when it is not what is wanted.
    fn of(view: &NetworkView, user: &User, wanted: &BTreeMap<Pubkey, RoleChange>) -> Option<Self> {
        let dz_ip = user.allocation.filter(|_| roles::met(user, wanted))?.dz_ip;
        let code = |group| Some(view.group(group)?.code.clone());
        let groups = wanted.iter().filter_map(|(group, wanted)| Some((code(group)?, *wanted))).collect();
        Some(Self { dz_ip, groups })
    }

    /// True when a tunnel has it and its far end answers.
    fn carried_by(&self, service: &Service) -> bool {
        let held = |code| {
            let groups = &service.multicast_groups;
            Roles { publish: groups.publisher.contains(code), subscribe: groups.subscriber.contains(code) }
        };
        service.doublezero_ip == self.dz_ip
            && service.doublezero_status.session_status == Session::Up
            && service.error.is_none()
            && self.groups.iter().all(|(code, wanted)| roles::met_by(*wanted, held(code)))
    }
}

/// This host, as the command line sees it.
pub struct Client<'a> {
    /// The chain.
    pub ledger: &'a dyn Ledger,
    /// The daemon.
    pub daemon: &'a Daemon,
    /// The deadline and who hears of it.
    pub waiting: Waiting<'a>,
}

impl Client<'_> {
    /// Gives a user the wanted roles, waits for the activator's word and for the daemon's tunnel, prints it and returns
    /// it. Another command may want the opposite; then it is done again.
    pub(super) async fn finish(
        &self,
        seat: &Seat,
        wanted: &BTreeMap<Pubkey, RoleChange>,
        format: Format,
        out: &mut dyn Write,
    ) -> Result<Service, CommandError> {
        // Before the activator's word: who gives up waiting for it gets the tunnel when it comes.
        self.waiting.for_enabled(self.daemon, true).await?;
        let mut since = seat.since;
        for _ in 0..ATTEMPTS {
            since = self.set_roles(seat.user, since, wanted).await?;
            let Some(granted) = self.activated(seat.user, since, wanted).await? else { continue };
            let (status, service) = tokio::select! {
                // Both end at the deadline, and this one says what is missing.
                biased;
                carried = self.carried(seat.endpoint, &granted) => carried?,
                overtaken = self.overtaken(seat.user, since, wanted, &granted) => {
                    overtaken?;
                    continue;
                }
            };
            let row = TunnelRow::new(&status, Some(&service));
            match format {
                Format::Json => output::json(out, &row),
                Format::Table => output::rows(out, format, &[row]),
            }
            .map_err(anyhow::Error::from)?;
            return Ok(service);
        }
        Err(CommandError::Rejected { reason: "other commands keep changing the tunnel".to_owned() })
    }

    /// Says which of the roles a user would get its pass does not allow.
    pub(super) fn check_roles(
        &self,
        view: &NetworkView,
        user: &User,
        wanted: &BTreeMap<Pubkey, RoleChange>,
    ) -> Result<(), CommandError> {
        let pass = view.access_pass(&user.access_pass);
        match pass.and_then(|pass| forbidden_role(view, pass, roles::added(user, wanted))) {
            Some(what) => Err(CommandError::NotAllowed { what }),
            None => Ok(()),
        }
    }

    /// Sets roles of a user, as many at a time as an instruction takes, each once the chain shows the one before as
    /// done. Returns the slot from which on the chain shows the last.
    pub(super) async fn set_roles(
        &self,
        key: Pubkey,
        mut since: u64,
        wanted: &BTreeMap<Pubkey, RoleChange>,
    ) -> Result<u64, CommandError> {
        let wanted: Vec<_> = wanted.iter().collect();
        for batch in wanted.chunks(MAX_ROLES_PER_INSTRUCTION) {
            let instructions = |view: &NetworkView, user: &User| -> Result<Vec<Instruction>, CommandError> {
                let changes = roles::changes(user, batch.iter().copied());
                if changes.is_empty() {
                    return Ok(Vec::new());
                }
                let set = build::set_user_roles(view, &self.ledger.payer(), key, &changes)?;
                Ok(set.into_iter().map(|instruction| decided_on(view, instruction)).collect())
            };
            let instructions = self
                .waiting
                .for_activator(
                    self.ledger,
                    since,
                    ACTIVATED,
                    |view| decided(view.user(&key)).map(|outcome| instructions(view, outcome?)),
                    Result::is_err,
                )
                .await??;
            for change in instructions {
                since = self.waiting.for_landing(self.ledger, &[change]).await?;
            }
        }
        Ok(since)
    }

    /// Waits for the activator's word; returns what it has granted, or none when another command has undone the roles.
    async fn activated(
        &self,
        key: Pubkey,
        since: u64,
        wanted: &BTreeMap<Pubkey, RoleChange>,
    ) -> Result<Option<Granted>, CommandError> {
        let outcome = |view: &NetworkView, user: &User| match Granted::of(view, user, wanted) {
            None if !user.reject_reason.is_empty() => {
                Err(CommandError::Rejected { reason: user.reject_reason.clone() })
            }
            granted => Ok(granted),
        };
        let find = |view: &NetworkView| decided(view.user(&key)).map(|user| outcome(view, user?));
        let doubted = |outcome: &Result<Option<_>, _>| !matches!(outcome, Ok(Some(_)));
        self.waiting.for_activator(self.ledger, since, ACTIVATED, find, doubted).await?
    }

    /// Waits until a user has been granted something else, or its tunnel cannot come up any more.
    async fn overtaken(
        &self,
        key: Pubkey,
        since: u64,
        wanted: &BTreeMap<Pubkey, RoleChange>,
        granted: &Granted,
    ) -> Result<(), CommandError> {
        let find = |view: &NetworkView| match decided(view.user(&key))? {
            Ok(user) if let Some(error) = out_of_use(view, user) => Some(Err(error)),
            Ok(user) => (Granted::of(view, user, wanted).as_ref() != Some(granted)).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        };
        self.waiting.quietly_for_certain(self.ledger, since, ACTIVATED, ACTIVATOR, find, |_| true).await?
    }

    /// Waits until the daemon's tunnel to this endpoint carries what was granted.
    async fn carried(&self, endpoint: Ipv4Addr, granted: &Granted) -> Result<(Status, Service), CommandError> {
        let step = format!("the tunnel to {endpoint} to come up");
        let hint = "see `doublezero status`, the log of doublezerod and of the device's agent";
        self.waiting
            .for_daemon(self.daemon, &step, hint, |status| {
                let mut services = status.services.iter();
                let service = services.find(|it| it.tunnel_dst == endpoint && granted.carried_by(it))?;
                Some((status.clone(), service.clone()))
            })
            .await
    }
}

/// What has become of a user: nothing yet while the activator has a say.
fn decided(user: Option<&User>) -> Option<Result<&User, CommandError>> {
    let rejected = |reason: &str| CommandError::Rejected { reason: reason.to_owned() };
    let Some(user) = user else { return Some(Err(rejected("the user was deleted meanwhile"))) };
    match user.status {
        UserStatus::Activated => Some(Ok(user)),
        UserStatus::Rejected => Some(Err(rejected(&user.reject_reason))),
        UserStatus::PendingBan | UserStatus::Banned => Some(Err(CommandError::Banned { client_ip: user.client_ip })),
        UserStatus::Pending | UserStatus::Updating | UserStatus::Deleting => None,
    }
}

/// Why the tunnel of a user carries nothing, whatever anybody waits for; none while its device is in use.
pub(super) fn out_of_use(view: &NetworkView, user: &User) -> Option<CommandError> {
    let device = view.device(&user.device)?;
    let (code, status) = (device.code.clone(), device.status);
    (status != DeviceStatus::Activated).then_some(CommandError::OutOfUse { device: code, status })
}
