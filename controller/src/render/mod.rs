//! Renders a device's config from the network: a pure function.
//!
//! What concerns all devices alike (the backbone's graph, where each user is) is worked out once for a view, as
//! [`Network`]; [`Network::render`] then reads off one device. Everything is decided from the view and the set of links
//! that devices report as broken, in the order of codes and addresses, so that the same network gives the same bytes.

mod error;
mod interfaces;
mod multicast;
mod topology;
mod tunnels;
mod unicast;

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use dz_sdk::{
    NetworkView,
    program::state::{DeviceStatus, User, UserAllocation},
};
use solana_pubkey::Pubkey;

pub use self::error::{Found, RenderError};
use self::{
    multicast::Passage,
    topology::{Place, Topology, Tree},
};
use crate::config::{DeviceConfig, DeviceState};

/// The config of one device, all links being whole.
///
/// # Errors
/// [`RenderError`]: the view is not one that the program leaves.
pub fn render(view: &NetworkView, device: &Pubkey) -> Result<DeviceConfig, RenderError> {
    Network::new(view, &BTreeSet::new()).render(device)
}

/// A user whose tunnel carries traffic: it has a tunnel and its device is not drained.
struct Live<'a> {
    key: Pubkey,
    user: &'a User,
    allocation: &'a UserAllocation,
}

/// A view made ready to render any of its devices.
pub struct Network<'a> {
    view: &'a NetworkView,
    topology: Topology,
    /// Users that can be reached, by their device and in the order of their tunnels' ids.
    live: BTreeMap<Pubkey, Vec<Live<'a>>>,
    /// Shortest ways from the devices that were asked for.
    trees: RefCell<BTreeMap<Place, Rc<Tree>>>,
    /// Group traffic of all devices.
    passages: OnceCell<BTreeMap<Pubkey, Vec<Passage>>>,
}

impl<'a> Network<'a> {
    /// Prepares a view in which `failed` links, which an end of them reports as broken, carry nothing.
    pub fn new(view: &'a NetworkView, failed: &BTreeSet<Pubkey>) -> Self {
        let mut live: BTreeMap<Pubkey, Vec<Live<'a>>> = BTreeMap::new();
        for (key, user) in view.users() {
            let device = view.device(&user.device);
            if let Some(allocation) = &user.allocation
                && user.status.has_tunnel()
                && device.is_some_and(|device| device.status == DeviceStatus::Activated)
            {
                live.entry(user.device).or_default().push(Live { key: *key, user, allocation });
            }
        }
        live.values_mut().for_each(|users| users.sort_by_key(|live| live.allocation.tunnel_id));
        let (trees, passages) = (RefCell::default(), OnceCell::new());
        Self { view, topology: Topology::of(view, failed), live, trees, passages }
    }

    /// Shortest ways from a device.
    fn tree(&self, root: Place) -> Rc<Tree> {
        self.trees.borrow_mut().entry(root).or_insert_with(|| Rc::new(self.topology.tree(root))).clone()
    }

    /// The config of one device.
    ///
    /// # Errors
    /// [`RenderError`]: the view is not one that the program leaves.
    pub fn render(&self, key: &Pubkey) -> Result<DeviceConfig, RenderError> {
        let device = self.view.device(key).ok_or(RenderError::UnknownDevice(*key))?;
        let state = match device.status {
            DeviceStatus::Pending | DeviceStatus::Deleting => DeviceState::Starting,
            DeviceStatus::Activated => DeviceState::Serving,
            DeviceStatus::Drained => DeviceState::Drained,
        };
        let interfaces = self.interfaces(key, device)?;
        let tunnels = self.tunnels(key, device, &interfaces)?;
        let unicast = self.unicast(key, &interfaces)?;
        let groups = self.groups(key, &interfaces);
        Ok(DeviceConfig {
            device: device.code.clone(),
            state,
            public_ip: device.public_ip,
            loopbacks: interfaces.loopbacks,
            ports: interfaces.ports,
            tunnels,
            tables: unicast.tables,
            transit: unicast.transit,
            groups,
        })
    }
}
