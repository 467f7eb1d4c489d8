//! The current config of every device, and the last one it reported: the controller's whole state.
//!
//! Pure: a catalog is made of the one before and a view. A device whose config cannot be rendered keeps its last one,
//! and a view that has lost the network's config is refused, so that no hiccup of the ledger ever blanks a device.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use dz_sdk::{NetworkView, program::state::AccountType};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    config::{ConfigHash, DeviceConfig},
    render::Network,
};

/// Codes of the links that devices report as broken, by the device that does.
pub type FailedLinks = BTreeMap<Pubkey, BTreeSet<String>>;

/// A config, ready to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The slot of the view that first gave this content.
    pub revision: u64,
    /// Names the content.
    pub hash: ConfigHash,
    /// The content.
    pub config: DeviceConfig,
}

/// One device of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its code.
    pub code: String,
    /// What it is to run; none if its config could never be rendered.
    pub rendered: Option<Arc<Rendered>>,
    /// Why the current view gives no config for it.
    pub error: Option<String>,
}

/// All devices at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The view's slot.
    pub slot: u64,
    /// By address.
    pub devices: BTreeMap<Pubkey, Entry>,
    /// What was reported as broken when it was made.
    pub failed: FailedLinks,
}

/// A view that cannot be what the network is now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Implausible {
    /// The account that holds the whole configuration is gone, or was never there.
    #[error("slot {slot}: the network is not initialised: `doublezero config init` comes first")]
    NoConfig {
        /// The view's slot.
        slot: u64,
    },
}

impl Catalog {
    /// The catalog that follows on this one with a new view, in which the links that these devices report are broken.
    ///
    /// # Errors
    /// The view is older than the last one or not plausible.
    pub fn next(&self, view: &NetworkView, failed: &FailedLinks) -> Result<Self, Implausible> {
        let slot = view.slot();
        if view.config().is_none() {
            return Err(Implausible::NoConfig { slot });
        }
        let network = Network::new(view, &broken(view, failed));
        let devices = view.devices().iter().map(|(key, device)| {
            let known = self.devices.get(key).and_then(|entry| entry.rendered.clone());
            let (rendered, error) = match network.render(key) {
                Ok(config) => (Some(keep_if_same(known, slot, config)), None),
                Err(error) => (known, Some(error.to_string())),
            };
            (*key, Entry { code: device.code.clone(), rendered, error })
        });
        Ok(Self { slot, devices: devices.collect(), failed: failed.clone() })
    }
}

/// The links that count as broken. A device's word counts for the links that end at it, and for nothing when it has left
/// the chain: a link of the same code may be another one by then.
fn broken(view: &NetworkView, failed: &FailedLinks) -> BTreeSet<Pubkey> {
    let reported = failed.iter().flat_map(|(device, codes)| codes.iter().map(move |code| (device, code)));
    let ends_there = |(device, code): (&Pubkey, &String)| {
        let key = view.by_code(AccountType::Link, code)?;
        let link = view.link(&key)?;
        [link.side_a.device, link.side_z.device].contains(device).then_some(key)
    };
    reported.filter_map(ends_there).collect()
}

/// The known config if it has the same content, so that its revision is that of the last change.
fn keep_if_same(known: Option<Arc<Rendered>>, revision: u64, config: DeviceConfig) -> Arc<Rendered> {
    match known {
        Some(known) if known.config == config => known,
        _ => Arc::new(Rendered { revision, hash: config.hash(), config }),
    }
}

/// How a config is named in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Revision {
    /// The slot of the view that first gave this content.
    pub revision: u64,
    /// Names the content.
    pub hash: ConfigHash,
}

impl Rendered {
    /// Its name.
    pub fn revision(&self) -> Revision {
        Revision { revision: self.revision, hash: self.hash }
    }
}
