//! Devices: prefixes and endpoints for each pending one, further endpoints on request, and their return.
//!
//! The whole way from a registered device to an activated one is planned at once, on top of its own planned effects,
//! so that it lands in as few transactions as it fits in.

use std::net::Ipv4Addr;

use dz_sdk::program::{
    network::NetworkV4,
    state::{
        AccountType, AddressSource, Bootstrap, Device, DeviceStatus, DeviceType, InterfaceStatus, Pool, PoolKind,
        PrefixSource,
    },
};
use solana_pubkey::Pubkey;

use super::{ConditionKind, Decision, Planner, Shortage, Subject};
use crate::strategy::{FreeNumbers, PoolUse, Strategy};

/// The first address of a prefix is never handed out.
const RESERVED_ADDRESSES: u32 = 1;

/// A prefix that endpoints can be pulled off, and how many of the device's endpoints are in it.
struct Source {
    net: NetworkV4,
    pool: Pubkey,
    endpoints: u32,
}

/// Why there is no prefix for a device.
pub(super) struct Uncarved {
    pub(super) kind: ConditionKind,
    pub(super) reason: String,
}

impl From<Shortage> for Uncarved {
    fn from(shortage: Shortage) -> Self {
        Self { kind: ConditionKind::PoolFull, reason: shortage.into_reason() }
    }
}

impl Planner<'_> {
    pub(super) fn take_back_devices(&mut self) {
        let view = self.view;
        for (key, device) in view.devices() {
            let leaving = device.status == DeviceStatus::Deleting;
            for (interface_key, interface) in view.interfaces_of_device(key) {
                if leaving || interface.status == InterfaceStatus::Deleting {
                    self.close_interface(*interface_key, interface, device);
                }
            }
            if leaving {
                let subject = device_subject(*key, device);
                self.remove_prefixes(&subject, device);
                self.act(&subject, Decision::CloseDevice, "it is being deleted");
            }
        }
    }

    pub(super) fn bring_up_devices(&mut self) {
        let view = self.view;
        for (key, device) in view.devices() {
            if device.status != DeviceStatus::Deleting {
                self.bring_up_device(*key, device);
            }
        }
    }

    fn bring_up_device(&mut self, key: Pubkey, device: &Device) {
        let subject = device_subject(key, device);
        let mut endpoints = 0;
        for (interface_key, interface) in self.view.interfaces_of_device(&key) {
            if interface.status == InterfaceStatus::Pending {
                self.activate_interface(*interface_key, interface, device);
            }
            if interface.user_tunnel_endpoint && interface.status != InterfaceStatus::Deleting {
                endpoints += 1;
            }
        }
        if device.bootstrap == Bootstrap::OwnEndpoints || device.device_type == DeviceType::Transit {
            self.activate_with(&subject, device, endpoints);
            return;
        }
        // A drained device gets what it lacks when it comes back.
        if device.status == DeviceStatus::Drained {
            return;
        }
        let Some(prefixes) = self.prefixes(&subject, device) else { return };
        let complete = self.pull_endpoints(&subject, device, &prefixes);
        if complete && device.status == DeviceStatus::Pending {
            let reason =
                format!("it has its prefixes ({}) and endpoints ({})", prefixes.len(), device.endpoints_wanted);
            self.act(&subject, Decision::ActivateDevice, reason);
        }
    }

    /// Activates a device for which nothing is carved or pulled.
    fn activate_with(&mut self, subject: &Subject, device: &Device, endpoints: usize) {
        if device.status != DeviceStatus::Pending {
            return;
        }
        let reason = match endpoints {
            _ if device.device_type == DeviceType::Transit => "it is a transit device".to_owned(),
            0 => {
                let reason = "its contributor has not added an interface that tunnels may end on yet".to_owned();
                self.cannot(subject.clone(), ConditionKind::WaitsForEndpoint, reason);
                return;
            }
            count => format!("it has endpoints of its own ({count})"),
        };
        self.act(subject, Decision::ActivateDevice, reason);
    }

    /// The prefixes of the device and their pools, with the one it is given if that is what it waits for.
    fn prefixes(&mut self, subject: &Subject, device: &Device) -> Option<Vec<(NetworkV4, Pubkey)>> {
        let mut prefixes: Vec<_> = device
            .prefixes
            .iter()
            .filter_map(|prefix| {
                let pool = self.pools.find(PoolKind::DevicePrefix, &subject.key, u32::from(prefix.net.network()))?;
                Some((prefix.net, pool))
            })
            .collect();
        if let Some(prefix_len) = carve_wanted(device) {
            match self.carve(subject, device, prefix_len) {
                Ok(carved) => prefixes.push(carved),
                Err(Uncarved { kind, reason }) => {
                    self.cannot(subject.clone(), kind, reason);
                    return None;
                }
            }
        }
        let lacking =
            device.status == DeviceStatus::Pending || device.pulled_count < u32::from(device.endpoints_wanted);
        if prefixes.is_empty() && lacking {
            let reason = "its contributor has not added a prefix yet".to_owned();
            self.cannot(subject.clone(), ConditionKind::WaitsForPrefix, reason);
            return None;
        }
        Some(prefixes)
    }

    fn carve(&mut self, subject: &Subject, device: &Device, prefix_len: u8) -> Result<(NetworkV4, Pubkey), Uncarved> {
        let Some(contributor) = self.view.contributor(&device.contributor) else {
            let reason = format!("its contributor {} is not on the chain", device.contributor);
            return Err(Uncarved { kind: ConditionKind::Incomplete, reason });
        };
        let (net, pool) = self.run_for_prefix(&device.contributor, contributor, device.bootstrap, prefix_len)?;
        let base = u32::from(net.network());
        let unit = self.pools.get(&pool).map_or(1, |block| block.unit);
        let addresses = 1 << (32 - prefix_len);
        self.pools.claim(&pool, base, addresses / unit);
        let prefix = Pool::new(PoolKind::DevicePrefix, subject.key, base, 1, addresses, RESERVED_ADDRESSES);
        let prefix = self.pools.create(prefix);
        let decision = Decision::CarveDevicePrefix { net };
        self.act(subject, decision, format!("it is registered to be given a /{prefix_len}"));
        Ok((net, prefix))
    }

    /// Pulls as many endpoints as are wanted and missing; false when there is not enough room for that.
    fn pull_endpoints(&mut self, subject: &Subject, device: &Device, prefixes: &[(NetworkV4, Pubkey)]) -> bool {
        let mut pulled = 0u8;
        let mut sources: Vec<_> =
            prefixes.iter().map(|(net, pool)| Source { net: *net, pool: *pool, endpoints: 0 }).collect();
        for (_, interface) in self.view.interfaces_of_device(&subject.key) {
            if interface.status != InterfaceStatus::Deleting
                && let Some(AddressSource::Pulled { pool }) = interface.address.map(|address| address.source)
            {
                pulled = pulled.saturating_add(1);
                sources.iter_mut().filter(|source| source.pool == pool).for_each(|source| source.endpoints += 1);
            }
        }
        let wanted = device.endpoints_wanted;
        for count in pulled..wanted {
            if let Err(shortage) = self.pull_endpoint(subject, &mut sources, (count + 1, wanted)) {
                let reason = format!("{count} of {wanted} wanted endpoints: {}", shortage.into_reason());
                self.cannot(subject.clone(), ConditionKind::PoolFull, reason);
                return false;
            }
        }
        true
    }

    fn pull_endpoint(
        &mut self,
        subject: &Subject,
        sources: &mut [Source],
        (nth, wanted): (u8, u8),
    ) -> Result<(), Shortage> {
        let uses: Vec<_> = sources
            .iter()
            .map(|source| {
                let (used, capacity) = self.pools.address_usage(&source.pool);
                PoolUse { capacity, used, endpoints: source.endpoints }
            })
            .collect();
        let chosen = self.policy.endpoint_strategy.choose(&uses).and_then(|index| sources.get_mut(index));
        let Some((source, ip)) = chosen.and_then(|source| {
            let ip = self.pools.lowest_free_address(&source.pool)?;
            Some((source, ip))
        }) else {
            let networks = sources.iter().map(|source| (source.net, source.pool));
            return Err(Shortage::of_networks(&self.pools, "address", networks));
        };

        let numbers = self
            .pools
            .only(PoolKind::EndpointLoopbacks, &subject.key)
            .ok_or_else(|| Shortage::other("it has no pool of loopback numbers"))?;
        let number = self
            .choose_number(&numbers, ip)
            .ok_or_else(|| Shortage::of_numbers(&self.pools, "loopback number", &numbers))?;

        self.pools.claim(&source.pool, u32::from(ip), 1);
        self.pools.claim(&numbers, u32::from(number), 1);
        source.endpoints += 1;
        let reason = format!("endpoint {nth} of {wanted}, off {}", source.net);
        let decision = Decision::PullEndpoint { prefix: source.net, ip, loopback_number: number };
        self.act(subject, decision, reason);
        Ok(())
    }

    fn choose_number(&self, numbers: &Pubkey, address: Ipv4Addr) -> Option<u16> {
        let pool = self.pools.get(numbers)?;
        let free: Vec<u16> = (pool.base..pool.base + pool.count)
            .filter(|&number| !pool.is_taken(number))
            .filter_map(|number| u16::try_from(number).ok())
            .collect();
        let (first, count) = (u16::try_from(pool.base).ok()?, u16::try_from(pool.count).ok()?);
        self.policy.loopback_strategy.choose(FreeNumbers { address, first, count, free: &free })
    }

    fn remove_prefixes(&mut self, subject: &Subject, device: &Device) {
        for prefix in &device.prefixes {
            if let PrefixSource::Carved { pool } = &prefix.source
                && let Some(block) = self.pools.get(pool)
            {
                let units = u32::try_from(prefix.net.address_count()).unwrap_or(0) / block.unit;
                self.pools.release(pool, u32::from(prefix.net.network()), units);
            }
            let decision = Decision::RemoveDevicePrefix { net: prefix.net };
            self.act(subject, decision, "the device is being deleted");
        }
    }
}

/// The length of the prefix to carve: for a device that was registered with nothing, and for one that has nothing
/// left to pull the endpoints off that it still wants. A prefix that its contributor has removed stays removed.
fn carve_wanted(device: &Device) -> Option<u8> {
    let prefix_len = device.bootstrap.carved_len()?;
    let wanted = match device.status {
        DeviceStatus::Pending => !device.has_carved_prefix(),
        DeviceStatus::Activated => {
            device.prefixes.is_empty() && device.pulled_count < u32::from(device.endpoints_wanted)
        }
        DeviceStatus::Drained | DeviceStatus::Deleting => false,
    };
    wanted.then_some(prefix_len)
}

fn device_subject(key: Pubkey, device: &Device) -> Subject {
    Subject { kind: AccountType::Device, key, label: format!("device {}", device.code) }
}
