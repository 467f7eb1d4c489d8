//! A node's kernel as people read it: names instead of indices, and nothing that differs between two runs.

use std::collections::BTreeMap;

use dz_net::{host::Host, kernel::NetlinkError};
use serde_json::{Value, json};

/// Interfaces with their addresses, rules, and routes of every table but the kernel's own local one.
///
/// # Errors
/// The kernel does not answer.
pub async fn all(host: &dyn Host) -> Result<Value, NetlinkError> {
    const TABLE_LOCAL: u32 = 255;
    let links = host.links().await?;
    let names: BTreeMap<u32, &str> = links.iter().map(|link| (link.index, link.name.as_str())).collect();
    let name = |index: u32| names.get(&index).copied().unwrap_or("?").to_owned();
    let addrs = host.addrs().await?;
    let interfaces: serde_json::Map<String, Value> = links
        .iter()
        .map(|link| {
            let mut addresses: Vec<_> =
                addrs.iter().filter(|addr| addr.index == link.index).map(|addr| addr.address.to_string()).collect();
            addresses.sort();
            let value = json!({"kind": link.kind, "up": link.up, "mtu": link.mtu, "addresses": addresses});
            (link.name.clone(), value)
        })
        .collect();
    let mut routes: Vec<_> = host
        .routes()
        .await?
        .into_iter()
        .filter(|route| route.table != TABLE_LOCAL)
        .map(|route| {
            json!({
                "table": route.table,
                "destination": route.destination.to_string(),
                "via": route.via.map(|via| via.to_string()),
                "dev": route.dev.map(&name),
                "source": route.source.map(|source| source.to_string()),
                "kind": route.kind,
            })
        })
        .collect();
    routes.sort_by_key(Value::to_string);
    let mut rules = host.rules().await?;
    rules.sort();
    Ok(json!({"interfaces": interfaces, "routes": routes, "rules": rules}))
}
