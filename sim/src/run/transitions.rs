//! Changes on the chain, as events of `chain`: pools as units are taken and returned, users from their creation to
//! their end.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use serde_json::{Map, Value, json};

use super::{view::accounts, world::World};
use dz_sdk::NetworkView;

/// What was seen last.
#[derive(Debug, Default)]
struct Seen {
    pools: Map<String, Value>,
    users: BTreeMap<(Ipv4Addr, Ipv4Addr), Value>,
}

impl Seen {
    /// The events that lead from what was seen to this view.
    fn advance(&mut self, view: &NetworkView) -> Vec<(&'static str, Value)> {
        let mut events = Vec::new();
        let pools = match accounts::pools(view) {
            Value::Object(pools) => pools,
            _ => Map::new(),
        };
        let mut changed: Map<String, Value> =
            pools.iter().filter(|(name, value)| self.pools.get(*name) != Some(value)).map(owned).collect();
        changed.extend(
            self.pools.keys().filter(|name| !pools.contains_key(*name)).map(|name| (name.clone(), Value::Null)),
        );
        if !changed.is_empty() {
            events.push(("pools", json!({"slot": view.slot(), "pools": changed})));
        }
        self.pools = pools;
        let users: BTreeMap<_, _> = view
            .users()
            .values()
            .map(|user| {
                let value = json!({
                    "client_ip": user.client_ip.to_string(),
                    "endpoint_ip": user.endpoint_ip.to_string(),
                    "device": accounts::code_of(view, &user.device),
                    "type": user.user_type.to_string(),
                    "status": user.status.to_string(),
                });
                ((user.client_ip, user.endpoint_ip), value)
            })
            .collect();
        for (pair, value) in &self.users {
            if !users.contains_key(pair) {
                let mut gone = value.clone();
                gone["status"] = "gone".into();
                events.push(("user", gone));
            }
        }
        events.extend(
            users
                .iter()
                .filter(|(pair, value)| self.users.get(*pair) != Some(value))
                .map(|(_, value)| ("user", value.clone())),
        );
        self.users = users;
        events
    }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// Records them until the runner's subscription ends.
pub async fn follow_chain(world: Arc<World>) {
    let mut views = world.chain.watch();
    let mut seen = Seen::default();
    while views.changed().await.is_ok() {
        let Some(view) = views.borrow_and_update().clone() else { continue };
        for (event, fields) in seen.advance(&view) {
            // A log that cannot be written fails the run where it ends.
            let _ = world.events.record("chain", event, fields);
        }
    }
}
