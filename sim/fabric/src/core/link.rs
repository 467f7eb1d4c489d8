//! Backbone links: wires between two nodes.

use std::sync::Arc;

use super::{Core, LinkId, NodeId, PathId, PortId, PortOwner, node};
use crate::error::{FabricError, Result};
use crate::profile::PathProfile;

/// A link. It stays known when it is removed.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) ends: [NodeId; 2],
    pub(super) ports: [PortId; 2],
    /// The direction that starts at each end.
    pub(super) paths: [PathId; 2],
    pub(super) attached: bool,
    pub(super) up: bool,
}

impl Core {
    /// Connects two nodes by a link; gives the ports of both ends.
    pub(crate) fn add_link(&mut self, name: &str, ends: [&str; 2], profiles: [PathProfile; 2]) -> Result<[PortId; 2]> {
        for profile in &profiles {
            profile.validate().map_err(FabricError::profile(format!("link {name}")))?;
        }
        if self.link_names.get(name).is_some_and(|link| self.links[link.0 as usize].attached) {
            return Err(FabricError::LinkExists(name.to_owned()));
        }
        for end in ends {
            node::check_name(end)?;
        }
        let ends = ends.map(|end| self.intern(end));
        let known = self.link_names.get(name).copied().filter(|link| self.links[link.0 as usize].ends == ends);
        let [az, za] = profiles.map(Arc::new);
        let id = match known {
            Some(id) => {
                let paths = self.links[id.0 as usize].paths;
                for (path, profile) in paths.into_iter().zip([az, za]) {
                    self.paths[path].set_profile(profile);
                }
                id
            }
            None => {
                let id = LinkId(self.links.len() as u32);
                let ports = [0, 1].map(|end| self.new_port(PortOwner::LinkEnd(id, end)));
                let paths = [
                    self.paths.add_link(&self.nodes, (ends[0], ends[1]), (id, name), az),
                    self.paths.add_link(&self.nodes, (ends[1], ends[0]), (id, name), za),
                ];
                self.links.push(Link { name: name.to_owned(), ends, ports, paths, attached: false, up: false });
                self.link_names.insert(name.to_owned(), id);
                id
            }
        };
        let link = &mut self.links[id.0 as usize];
        (link.attached, link.up) = (true, true);
        Ok(link.ports)
    }

    pub(crate) fn remove_link(&mut self, name: &str) -> Result<[PortId; 2]> {
        let link = self.link_mut(name)?;
        link.attached = false;
        Ok(link.ports)
    }

    pub(crate) fn set_link_profiles(&mut self, name: &str, profiles: [PathProfile; 2]) -> Result<()> {
        for profile in &profiles {
            profile.validate().map_err(FabricError::profile(format!("link {name}")))?;
        }
        let paths = self.link_mut(name)?.paths;
        for (path, profile) in paths.into_iter().zip(profiles) {
            self.paths[path].set_profile(Arc::new(profile));
        }
        Ok(())
    }

    pub(crate) fn set_link_up(&mut self, name: &str, up: bool) -> Result<()> {
        self.link_mut(name)?.up = up;
        Ok(())
    }

    /// The link of this name, attached or not.
    pub(super) fn link(&self, name: &str) -> Option<LinkId> {
        self.link_names.get(name).copied()
    }

    fn link_mut(&mut self, name: &str) -> Result<&mut Link> {
        let id = self.link_names.get(name);
        let link = id.map(|id| &mut self.links[id.0 as usize]).filter(|link| link.attached);
        link.ok_or_else(|| FabricError::UnknownLink(name.to_owned()))
    }
}
