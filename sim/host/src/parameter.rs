//! Kernel parameters below `/proc/sys/net/ipv4` (the kernel's `Documentation/networking/ip-sysctl.rst`).

use std::collections::{BTreeMap, BTreeSet};

use dz_net::kernel::Change;
use nix::errno::Errno;
use strum::{EnumString, IntoStaticStr};

use crate::machine::Machine;

/// Parameters of an interface that the model heeds, or that our programs set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum PerInterface {
    /// Takes packets that carry an address of this host as source.
    AcceptLocal,
    /// Forwards what came in by it.
    Forwarding,
    /// Checks that the way back to a source leads over it (RFC 3704): 1 strictly, 2 that there is one.
    RpFilter,
    /// Sends ICMP redirects, which the model never does.
    SendRedirects,
}

const DEFAULTS: [(PerInterface, i32); 4] = [
    (PerInterface::AcceptLocal, 0),
    (PerInterface::Forwarding, 0),
    (PerInterface::RpFilter, 0),
    (PerInterface::SendRedirects, 1),
];

/// Those of the whole host.
const GLOBAL: [(&str, &str); 4] = [
    ("net/ipv4/icmp_errors_use_inbound_ifaddr", "0"),
    ("net/ipv4/icmp_ratelimit", "1000"),
    ("net/ipv4/ip_default_ttl", "64"),
    ("net/ipv4/ping_group_range", "1\t0"),
];

const ALL: &str = "all";
const DEFAULT: &str = "default";
const IP_FORWARD: &str = "net/ipv4/ip_forward";

/// All parameters.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    global: BTreeMap<String, String>,
    /// By interface; `all` and `default` are two more.
    conf: BTreeMap<String, BTreeMap<PerInterface, i32>>,
    /// What an interface has got of its own, and so no longer takes over from the default (`in_dev->cnf.state`).
    own: BTreeSet<(String, PerInterface)>,
}

/// What a path names.
enum Path<'a> {
    Forward,
    Global(&'a str),
    Conf(&'a str, PerInterface),
}

impl Parameters {
    pub(crate) fn new() -> Self {
        let conf = [ALL, DEFAULT, "lo"].map(|name| (name.to_owned(), DEFAULTS.into()));
        let global = GLOBAL.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { global: global.into(), conf: conf.into(), own: BTreeSet::new() }
    }

    /// A new interface takes over what is the default now.
    pub(crate) fn add_interface(&mut self, name: &str) {
        let default = self.conf.get(DEFAULT).cloned().unwrap_or_default();
        self.conf.insert(name.to_owned(), default);
    }

    pub(crate) fn remove_interface(&mut self, name: &str) {
        self.conf.remove(name);
        self.own.retain(|(of, _)| of != name);
    }

    /// An interface that was given an address keeps what it has, whatever the default becomes (`ipv4_devconf_setall`).
    pub(crate) fn keep(&mut self, name: &str) {
        self.own.extend(DEFAULTS.map(|(parameter, _)| (name.to_owned(), parameter)));
    }

    /// The value for an interface as it is written.
    pub(crate) fn of(&self, name: &str, parameter: PerInterface) -> i32 {
        self.conf.get(name).and_then(|conf| conf.get(&parameter)).copied().unwrap_or_default()
    }

    /// The higher of the interface's value and that for all of them (`IN_DEV_MAXCONF`, and for flags `IN_DEV_ORCONF`).
    pub(crate) fn highest(&self, name: &str, parameter: PerInterface) -> i32 {
        self.of(name, parameter).max(self.of(ALL, parameter))
    }

    /// Whether a parameter of the whole host is set.
    pub(crate) fn is_set(&self, path: &str) -> bool {
        self.global.get(path).is_some_and(|value| value != "0")
    }

    /// The TTL of what says no other.
    pub(crate) fn default_ttl(&self) -> u8 {
        self.global.get("net/ipv4/ip_default_ttl").and_then(|ttl| ttl.parse().ok()).unwrap_or(64)
    }

    pub(crate) fn read(&self, path: &str) -> Result<String, Errno> {
        Ok(match self.find(path)? {
            Path::Forward => self.of(ALL, PerInterface::Forwarding).to_string(),
            Path::Global(name) => self.global.get(name).cloned().unwrap_or_default(),
            Path::Conf(name, parameter) => self.of(name, parameter).to_string(),
        })
    }

    fn find<'a>(&self, path: &'a str) -> Result<Path<'a>, Errno> {
        if path == IP_FORWARD {
            return Ok(Path::Forward);
        }
        if self.global.contains_key(path) {
            return Ok(Path::Global(path));
        }
        let (name, parameter) =
            path.strip_prefix("net/ipv4/conf/").and_then(|rest| rest.split_once('/')).ok_or(Errno::ENOENT)?;
        let parameter = parameter.parse().map_err(|_| Errno::ENOENT)?;
        if self.conf.contains_key(name) { Ok(Path::Conf(name, parameter)) } else { Err(Errno::ENOENT) }
    }

    /// Sets `parameter` of whatever `path` names; of forwarding for all, on each interface (`inet_forward_change`).
    fn set(&mut self, name: &str, parameter: PerInterface, value: i32) {
        if parameter == PerInterface::Forwarding && name == ALL {
            self.conf.values_mut().for_each(|conf| {
                conf.insert(parameter, value);
            });
            return;
        }
        // The default of everything but forwarding is that of the interfaces that are there, too
        // (`devinet_copy_dflt_conf`).
        if name == DEFAULT && parameter != PerInterface::Forwarding {
            for (other, conf) in &mut self.conf {
                if other != ALL && !self.own.contains(&(other.clone(), parameter)) {
                    conf.insert(parameter, value);
                }
            }
        }
        if let Some(conf) = self.conf.get_mut(name) {
            conf.insert(parameter, value);
            self.own.insert((name.to_owned(), parameter));
        }
    }
}

impl Machine {
    /// `sysctl -w`; one that has the value already is not written.
    pub(crate) fn set_sysctl(&mut self, path: &str, value: &str) -> Result<(), Errno> {
        if self.parameters.read(path)? == value {
            return Ok(());
        }
        let number = || value.parse::<i32>().map_err(|_| Errno::EINVAL);
        let told = match self.parameters.find(path)? {
            Path::Forward => {
                self.parameters.set(ALL, PerInterface::Forwarding, number()?);
                true
            }
            Path::Conf(name, parameter) => {
                self.parameters.set(name, parameter, number()?);
                matches!(parameter, PerInterface::Forwarding | PerInterface::RpFilter)
            }
            Path::Global(name) => {
                self.parameters.global.insert(name.to_owned(), value.to_owned());
                false
            }
        };
        if told {
            self.watchers.notify(Change::Parameter);
        }
        Ok(())
    }
}
