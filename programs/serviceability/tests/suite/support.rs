//! A network on a test bank: who is who, how to send, and what a refusal must leave as it was.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dz_sdk::{
    NetworkView, build,
    instruction::{self as ix, access_pass::PassLimits, link::LinkNumbers, user::Grant},
};
use dz_serviceability::{
    ID as P,
    entrypoint::process_instruction,
    error::ServiceabilityError,
    instruction::{CreateDeviceArgs, ServiceabilityInstruction},
    lists,
    network::NetworkV4,
    pda,
    state::{
        AccessPass, Bootstrap, ConfigNumbers, Contributor, Device, DeviceCaps, DeviceType, Exchange, GlobalConfig,
        Interface, Link, MulticastGroup, Pool, PoolKind, Roles, Tenant, User, UserType,
    },
    upgrade,
    validation::InterfaceName,
};
use solana_account::Account;
use solana_instruction::{AccountMeta, Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_program_test::{ProgramTest, ProgramTestContext, processor};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;

pub(crate) type Error = ServiceabilityError;

/// The keys that act, the same in every run.
pub(crate) struct Keys {
    pub(crate) foundation: Keypair,
    pub(crate) activator: Keypair,
    /// Owns the contributor `co`.
    pub(crate) owner: Keypair,
    /// Owns the contributor `other`.
    pub(crate) other: Keypair,
    /// Holds the access passes.
    pub(crate) payer: Keypair,
    /// Owns the groups.
    pub(crate) group_owner: Keypair,
    /// Administers tenants.
    pub(crate) administrator: Keypair,
    /// Has no rights at all.
    pub(crate) stranger: Keypair,
}

fn key(number: u8) -> Keypair {
    Keypair::new_from_array([number; 32])
}

impl Keys {
    fn new() -> Self {
        Self {
            foundation: key(1),
            activator: key(2),
            owner: key(3),
            other: key(4),
            payer: key(5),
            group_owner: key(6),
            administrator: key(7),
            stranger: key(8),
        }
    }

    fn all(&self) -> [&Keypair; 8] {
        [
            &self.foundation,
            &self.activator,
            &self.owner,
            &self.other,
            &self.payer,
            &self.group_owner,
            &self.administrator,
            &self.stranger,
        ]
    }
}

/// What one transaction cost, by the name of its instruction.
pub(crate) type Costs = BTreeMap<String, u64>;

pub(crate) struct Net {
    bank: ProgramTestContext,
    /// What the chain holds, as far as this network's transactions touched it.
    pub(crate) view: NetworkView,
    pub(crate) keys: Keys,
    pub(crate) costs: Costs,
    sent: u64,
}

pub(crate) fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

pub(crate) fn net(text: &str) -> NetworkV4 {
    text.parse().unwrap()
}

pub(crate) fn caps(max_users: u16) -> DeviceCaps {
    DeviceCaps { max_users, ..DeviceCaps::default() }
}

pub(crate) const PUBLISH: Roles = Roles { publish: true, subscribe: false };
pub(crate) const SUBSCRIBE: Roles = Roles { publish: false, subscribe: true };
pub(crate) const BOTH: Roles = Roles { publish: true, subscribe: true };
pub(crate) const NONE: Roles = Roles { publish: false, subscribe: false };

pub(crate) const LINK_NUMBERS: LinkNumbers = LinkNumbers { delay_ns: 5_000_000, bandwidth: 10_000_000_000, mtu: 9000 };

impl Net {
    /// A bank with the program and nothing else. The program is bytecode when `SBF_OUT_DIR` names a folder with it.
    pub(crate) async fn empty() -> Self {
        Self::with_accounts([]).await
    }

    /// The same, with these accounts in it.
    pub(crate) async fn with_accounts(accounts: impl IntoIterator<Item = (Pubkey, Account)>) -> Self {
        let mut test = ProgramTest::new("dz_serviceability", P, processor!(process_instruction));
        if std::env::var_os("RUST_LOG").is_none() {
            // The bank would tell every step of every test.
            log::set_max_level(log::LevelFilter::Off);
        }
        let keys = Keys::new();
        for key in keys.all() {
            test.add_account(key.pubkey(), Account { lamports: 100_000_000_000, ..Account::default() });
        }
        let data = upgrade::header(&keys.foundation.pubkey());
        let program_data = Account { lamports: 1_000_000_000, data, owner: upgrade::LOADER, ..Account::default() };
        test.add_account(upgrade::program_data(&P), program_data);
        for (key, account) in accounts {
            test.add_account(key, account);
        }
        let bank = test.start_with_context().await;
        Self { bank, view: NetworkView::new(P), keys, costs: Costs::new(), sent: 0 }
    }

    /// An initialised network with one block of each kind.
    pub(crate) async fn start() -> Self {
        let mut net = Self::empty().await;
        net.init().await;
        net
    }

    pub(crate) async fn init(&mut self) {
        let foundation = self.keys.foundation.pubkey();
        self.ok(&key(1), [ix::global_config::init_global_config(&P, &foundation, ConfigNumbers::default())]).await;
        let activator = self.keys.activator.pubkey();
        self.ok(&key(1), [ix::global_config::set_activator(&P, &foundation, activator)]).await;
        for (kind, block) in [
            (PoolKind::DoubleZeroBlock, "45.33.0.0/21"),
            (PoolKind::UserTunnelBlock, "169.254.0.0/16"),
            (PoolKind::DeviceTunnelBlock, "172.16.0.0/16"),
            (PoolKind::MulticastGroupBlock, "233.84.178.0/24"),
            (PoolKind::MulticastPublisherBlock, "148.51.120.0/21"),
        ] {
            self.ok(&key(1), [ix::global_config::add_block(&P, &foundation, kind, self::net(block))]).await;
        }
    }

    /// A network with contributors `co` and `other` and the metro `nyc`.
    pub(crate) async fn with_metro() -> Self {
        let mut net = Self::start().await;
        let f = net.keys.foundation.pubkey();
        for (code, owner) in [("co", net.keys.owner.pubkey()), ("other", net.keys.other.pubkey())] {
            net.ok(&key(1), [ix::contributor::create_contributor(&P, &f, code, owner)]).await;
        }
        net.ok(&key(1), [ix::exchange::create_exchange(&P, &f, "nyc", "New York", 40_712_800, -74_006_000)]).await;
        net
    }

    pub(crate) fn co(&self) -> Pubkey {
        pda::contributor(&P, "co").0
    }

    pub(crate) fn other(&self) -> Pubkey {
        pda::contributor(&P, "other").0
    }

    pub(crate) fn nyc(&self) -> Pubkey {
        pda::exchange(&P, "nyc").0
    }

    pub(crate) fn device_args(&self, code: &str, public_ip: &str, bootstrap: Bootstrap) -> CreateDeviceArgs {
        CreateDeviceArgs {
            code: code.to_owned(),
            device_type: DeviceType::Hybrid,
            public_ip: ip(public_ip),
            bootstrap,
            endpoints_wanted: None,
            tunnel_slots: 128,
            caps: caps(96),
        }
    }

    /// Registers a device of `co`: Pending.
    pub(crate) async fn pending_device(&mut self, code: &str, public_ip: &str, bootstrap: Bootstrap) -> Pubkey {
        let args = self.device_args(code, public_ip, bootstrap);
        let owner = self.keys.owner.pubkey();
        self.ok(&key(3), [ix::device::create_device(&P, &owner, self.co(), self.nyc(), 100, args)]).await;
        pda::device(&P, code).0
    }

    /// An activated device of `co` with an own /29 and two endpoints pulled off it: `prefix` + 1 and + 2.
    pub(crate) async fn device(&mut self, code: &str, public_ip: &str, prefix: &str) -> Pubkey {
        let device = self.pending_device(code, public_ip, Bootstrap::OwnPrefix).await;
        let (owner, activator) = (self.keys.owner.pubkey(), self.keys.activator.pubkey());
        let prefix = self::net(prefix);
        self.ok(&key(3), [ix::device::add_device_prefix(&P, &owner, self.co(), device, prefix)]).await;
        for index in [1, 2] {
            let ip = prefix.address(u32::from(index)).unwrap();
            let pull = ix::device::pull_endpoint(&P, &activator, device, prefix, 100, ip, 99 + index);
            self.ok(&key(2), [pull]).await;
        }
        self.ok(&key(2), [ix::device::activate_device(&P, &activator, device)]).await;
        device
    }

    /// A pass of `payer` for one unicast and one multicast tunnel.
    pub(crate) async fn pass(&mut self, client_ip: &str) -> Pubkey {
        self.pass_with(client_ip, PassLimits::default(), &[]).await
    }

    pub(crate) async fn pass_with(&mut self, client_ip: &str, limits: PassLimits, tenants: &[Pubkey]) -> Pubkey {
        let (f, payer, client_ip) = (self.keys.foundation.pubkey(), self.keys.payer.pubkey(), ip(client_ip));
        let pass = ix::access_pass::pass_address(&P, client_ip, &payer, None);
        let set = ix::access_pass::set_access_pass(&P, &f, client_ip, payer, limits, None);
        let allow = |tenant: &Pubkey| ix::access_pass::set_pass_tenant(&P, &f, pass, *tenant, true);
        self.ok(&key(1), [set].into_iter().chain(tenants.iter().map(allow))).await;
        pass
    }

    /// An activated group; the `index`-th address of the block.
    pub(crate) async fn group(&mut self, code: &str, index: u32) -> Pubkey {
        let (f, activator) = (self.keys.foundation.pubkey(), self.keys.activator.pubkey());
        let owner = self.keys.group_owner.pubkey();
        self.ok(&key(1), [ix::multicast_group::create_multicast_group(&P, &f, code, owner, 1_000_000_000)]).await;
        let group = pda::multicast_group(&P, code).0;
        let ip = self::net("233.84.178.0/24").address(index).unwrap();
        let activate = build::activate_multicast_group(&self.view, &activator, group, ip).unwrap();
        self.ok(&key(2), [activate]).await;
        group
    }

    /// Lets a pass publish and subscribe to a group.
    pub(crate) async fn allow(&mut self, pass: Pubkey, group: Pubkey) {
        let f = self.keys.foundation.pubkey();
        self.ok(&key(1), [ix::access_pass::set_pass_group(&P, &f, pass, group, None, (true, true))]).await;
    }

    /// An activated tenant administered by `administrator`.
    pub(crate) async fn tenant(&mut self, code: &str, vrf_id: u16) -> Pubkey {
        let (f, activator) = (self.keys.foundation.pubkey(), self.keys.activator.pubkey());
        let administrator = self.keys.administrator.pubkey();
        self.ok(&key(1), [ix::tenant::create_tenant(&P, &f, code, vec![administrator])]).await;
        let tenant = pda::tenant(&P, code).0;
        self.ok(&key(2), [ix::tenant::activate_tenant(&P, &activator, tenant, vrf_id)]).await;
        tenant
    }

    pub(crate) fn create_user(&self, client_ip: &str, endpoint_ip: &str, user_type: UserType) -> Instruction {
        self.create_user_with(client_ip, endpoint_ip, user_type, None, vec![])
    }

    pub(crate) fn create_user_with(
        &self,
        client_ip: &str,
        endpoint_ip: &str,
        user_type: UserType,
        tenant: Option<Pubkey>,
        roles: Vec<(Pubkey, Roles)>,
    ) -> Instruction {
        let payer = self.keys.payer.pubkey();
        let (client_ip, endpoint_ip) = (ip(client_ip), ip(endpoint_ip));
        let wanted = build::CreateUser { client_ip, endpoint_ip, user_type, tenant, roles };
        build::create_user(&self.view, &payer, &payer, wanted).unwrap()
    }

    /// A user that waits for its tunnel.
    pub(crate) async fn pending_user(
        &mut self,
        client_ip: &str,
        endpoint_ip: &str,
        user_type: UserType,
        roles: Vec<(Pubkey, Roles)>,
    ) -> Pubkey {
        let create = self.create_user_with(client_ip, endpoint_ip, user_type, None, roles);
        self.ok(&key(5), [create]).await;
        pda::user(&P, ip(client_ip), ip(endpoint_ip)).0
    }

    /// A user with the `index`-th tunnel network and id, and this dz_ip.
    pub(crate) async fn user(
        &mut self,
        client_ip: &str,
        endpoint_ip: &str,
        user_type: UserType,
        roles: Vec<(Pubkey, Roles)>,
        index: u16,
        dz_ip: &str,
    ) -> Pubkey {
        let user = self.pending_user(client_ip, endpoint_ip, user_type, roles).await;
        let activate = self.activate_user(user, index, dz_ip);
        self.ok(&key(2), [activate]).await;
        user
    }

    pub(crate) fn activate_user(&self, user: Pubkey, index: u16, dz_ip: &str) -> Instruction {
        build::activate_user(&self.view, &self.keys.activator.pubkey(), user, grant(index, dz_ip)).unwrap()
    }

    /// An activated physical interface of a device of `co` or `other`.
    pub(crate) async fn port(&mut self, device: Pubkey, name: &str, owner: &Keypair) -> Pubkey {
        let create = build::create_interface(&self.view, &owner.pubkey(), device, name, None, false).unwrap();
        self.ok(owner, [create]).await;
        let full = name.parse::<InterfaceName>().unwrap().to_string();
        let interface = pda::interface(&P, &device, &full).0;
        let activator = self.keys.activator.pubkey();
        self.ok(&key(2), [ix::interface::activate_interface(&P, &activator, device, interface)]).await;
        interface
    }

    /// Sends what must succeed, and brings the view up to date.
    pub(crate) async fn ok(&mut self, signer: &Keypair, instructions: impl IntoIterator<Item = Instruction>) {
        let instructions: Vec<_> = instructions.into_iter().collect();
        if let Err(error) = self.send(signer, &instructions).await {
            panic!("refused: {error:?}\n{instructions:#?}");
        }
        for meta in instructions.iter().flat_map(|instruction| &instruction.accounts) {
            let account = self.fetch(&meta.pubkey).await;
            let data = account.filter(|account| account.owner == P).map_or(vec![], |account| account.data);
            self.view.set_account(meta.pubkey, &data).unwrap();
        }
    }

    /// Sends what must be refused with exactly this error, and changes nothing.
    pub(crate) async fn refused(&mut self, signer: &Keypair, instruction: Instruction, error: Error) {
        let keys: Vec<_> = instruction.accounts.iter().map(|meta| meta.pubkey).collect();
        let before = self.fetch_all(&keys).await;
        let result = self.send(signer, std::slice::from_ref(&instruction)).await;
        let expected = TransactionError::InstructionError(0, InstructionError::Custom(error.code()));
        let found = match &result {
            Err(TransactionError::InstructionError(0, InstructionError::Custom(code))) => Error::from_code(*code),
            _ => None,
        };
        assert_eq!(result, Err(expected), "expected {error:?}, found {found:?} of {instruction:#?}");
        assert_eq!(self.fetch_all(&keys).await, before, "a refusal has changed something");
    }

    /// Sends the instructions in one transaction whose fee another key pays.
    pub(crate) async fn send(
        &mut self,
        signer: &Keypair,
        instructions: &[Instruction],
    ) -> Result<(), TransactionError> {
        self.sent += 1;
        let mut instructions = instructions.to_vec();
        instructions.push(unique(self.sent));
        let fees = &self.bank.payer;
        let mut transaction = Transaction::new_with_payer(&instructions, Some(&fees.pubkey()));
        let mut signers = vec![fees];
        if transaction.message.account_keys[..transaction.message.header.num_required_signatures as usize]
            .contains(&signer.pubkey())
        {
            signers.push(signer);
        }
        transaction.sign(&signers, self.bank.last_blockhash);
        let answer = self.bank.banks_client.process_transaction_with_metadata(transaction).await.unwrap();
        if let (Ok(()), Some(metadata), [instruction, _]) = (&answer.result, &answer.metadata, instructions.as_slice())
            && let Ok((_, decoded)) = ServiceabilityInstruction::decode(&instruction.data)
        {
            let cost = self.costs.entry(decoded.as_ref().to_owned()).or_default();
            *cost = (*cost).max(metadata.compute_units_consumed);
        }
        answer.result
    }

    pub(crate) async fn fetch(&mut self, key: &Pubkey) -> Option<Account> {
        self.bank.banks_client.get_account(*key).await.unwrap()
    }

    async fn fetch_all(&mut self, keys: &[Pubkey]) -> Vec<Option<Account>> {
        let mut accounts = Vec::new();
        for key in keys {
            accounts.push(self.fetch(key).await);
        }
        accounts
    }

    /// Puts an account in from outside, as no instruction could.
    pub(crate) fn set_account(&mut self, key: Pubkey, account: &Account) {
        self.bank.set_account(&key, &account.clone().into());
    }

    /// Lets epochs pass.
    pub(crate) fn warp_to_epoch(&mut self, epoch: u64) {
        self.bank.warp_to_epoch(epoch).unwrap();
    }

    pub(crate) async fn blockhash(&mut self) {
        self.bank.last_blockhash = self.bank.banks_client.get_latest_blockhash().await.unwrap();
    }

    pub(crate) fn config(&self) -> GlobalConfig {
        self.view.config().unwrap().clone()
    }

    pub(crate) fn pool_at(&self, kind: PoolKind, owner: Pubkey, base: &str) -> Pool {
        self.view.pool_at(kind, &owner, ip(base).into()).unwrap().1.clone()
    }
}

macro_rules! getters {
    ($($name:ident $type:ident $field:ident;)*) => {
        impl Net {
            $(pub(crate) fn $name(&self, key: Pubkey) -> $type {
                self.view.$field(&key).unwrap_or_else(|| panic!("no {} {key}", stringify!($type))).clone()
            })*
        }
    };
}

getters! {
    get_contributor Contributor contributor;
    get_exchange Exchange exchange;
    get_device Device device;
    get_interface Interface interface;
    get_link Link link;
    get_tenant Tenant tenant;
    get_pass AccessPass access_pass;
    get_group MulticastGroup group;
    get_user User user;
}

pub(crate) fn grant(index: u16, dz_ip: &str) -> Grant {
    let tunnel_net = net(&format!("169.254.{}.{}/31", index / 128, index % 128 * 2));
    Grant { tunnel_net, tunnel_id: 500 + index, dz_ip: ip(dz_ip) }
}

/// A compute budget instruction that makes two equal transactions differ; its price does not matter here.
fn unique(number: u64) -> Instruction {
    let program_id = Pubkey::from_str_const("ComputeBudget111111111111111111111111111111");
    let data = [&[3], &number.to_le_bytes()[..]].concat();
    Instruction { program_id, accounts: vec![], data }
}

/// Where an account of this name stands in an instruction.
pub(crate) fn place_of(instruction: &Instruction, name: &str) -> usize {
    let (_, decoded) = ServiceabilityInstruction::decode(&instruction.data).unwrap();
    let spec = lists::ALL.iter().find(|spec| spec.instruction == decoded.as_ref()).unwrap();
    let slot = spec.slots.iter().position(|slot| slot.name == name);
    2 + slot.unwrap_or_else(|| panic!("{} has no {name}", spec.instruction))
}

/// The same instruction with the account of this name changed.
pub(crate) fn with_account(
    mut instruction: Instruction,
    name: &str,
    change: impl FnOnce(&mut AccountMeta),
) -> Instruction {
    let place = place_of(&instruction, name);
    change(&mut instruction.accounts[place]);
    instruction
}

/// Keys of one kind of actor, by value: tests borrow the network mutably while they sign.
pub(crate) fn signer(keypair: &Keypair) -> Keypair {
    keypair.insecure_clone()
}
