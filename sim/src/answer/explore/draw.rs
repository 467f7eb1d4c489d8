//! Drawing a history: which step comes next, by weights and by what is broken.

use std::str::FromStr;

use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

/// How often each group of steps is drawn, as parts of their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// What clients type.
    pub client: u32,
    /// What operators type.
    pub operator: u32,
    /// What breaks.
    pub fault: u32,
    /// What is healed.
    pub heal: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Self { client: 10, operator: 4, fault: 3, heal: 3 }
    }
}

impl FromStr for Weights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected such as client=10,operator=4,fault=3,heal=3, got `{text}`");
        let mut weights = Self::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let value = value.parse().map_err(|_| wrong())?;
            match name {
                "client" => weights.client = value,
                "operator" => weights.operator = value,
                "fault" => weights.fault = value,
                "heal" => weights.heal = value,
                _ => return Err(wrong()),
            }
        }
        if weights.client + weights.operator == 0 { Err(wrong()) } else { Ok(weights) }
    }
}

/// The names of a network that steps are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Contributors.
    pub contributors: Vec<String>,
    /// Devices.
    pub devices: Vec<String>,
    /// Clients.
    pub clients: Vec<String>,
    /// Multicast groups.
    pub groups: Vec<String>,
    /// Backbone links.
    pub links: Vec<String>,
}

/// Services that an endpoint is kept for; any of them half of the time.
const SERVICES: [&str; 4] = ["any", "unicast", "multicast", "any"];

/// Seconds a command may take before it gives up, within the deadline of its step.
const COMMAND_TIMEOUT_S: u32 = 5;

/// Draws histories over a network.
#[derive(Debug)]
pub struct Drawer<'n> {
    names: &'n Names,
    weights: Weights,
    rng: SmallRng,
    /// Heals of what is broken.
    broken: Vec<String>,
}

impl<'n> Drawer<'n> {
    /// For one history; equal seeds draw equal ones.
    pub fn new(names: &'n Names, weights: Weights, seed: u64) -> Self {
        Self { names, weights, rng: SmallRng::seed_from_u64(seed), broken: Vec::new() }
    }

    /// This number of steps, each a line of YAML; at their end everything is healed.
    pub fn history(mut self, length: usize) -> Vec<String> {
        let mut steps: Vec<String> = (0..length).map(|_| self.step()).collect();
        if !self.broken.is_empty() {
            steps.push("heal: all".to_owned());
        }
        steps
    }

    fn step(&mut self) -> String {
        let Weights { client, operator, fault, heal } = self.weights;
        let heal = if self.broken.is_empty() { 0 } else { heal };
        let drawn = self.rng.random_range(0..client + operator + fault + heal);
        if drawn < client && !self.names.clients.is_empty() {
            return self.client();
        }
        if drawn < client + operator || drawn >= client + operator + fault + heal {
            return self.operator();
        }
        if drawn < client + operator + fault {
            return self.fault().unwrap_or_else(|| self.operator());
        }
        self.heal()
    }

    /// Whether something about a node or one of its processes is broken already.
    fn is_broken(&self, name: &str) -> bool {
        self.broken.iter().any(|heal| heal.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name))
    }

    fn one(&mut self, of: &'n [String]) -> &'n str {
        of.choose(&mut self.rng).map_or("", String::as_str)
    }

    fn command(&self, words: &str, on: &str) -> String {
        format!("run: doublezero {words} --timeout {COMMAND_TIMEOUT_S}s\n    on: {on}\n    exit: any")
    }

    fn client(&mut self) -> String {
        let names = self.names;
        let client = self.one(&names.clients);
        let device = self.one(&names.devices);
        let mut verbs = vec![
            "connect ibrl".to_owned(),
            "connect ibrl --allocate-addr".to_owned(),
            format!("connect ibrl --device {device}"),
            "connect edge-filtering".to_owned(),
            "disconnect".to_owned(),
            "disconnect --no-wait".to_owned(),
            "disconnect ibrl".to_owned(),
            "enable".to_owned(),
            "disable".to_owned(),
        ];
        if !names.groups.is_empty() {
            let group = self.one(&names.groups);
            verbs.push("disconnect multicast".to_owned());
            for form in ["connect multicast --subscribe", "connect multicast --publish"] {
                verbs.push(format!("{form} {group}"));
                verbs.push(format!("{form} {group}"));
            }
            for form in ["publish", "unpublish", "subscribe", "unsubscribe"] {
                verbs.push(format!("multicast {form} {group}"));
            }
        }
        let verb = verbs.choose(&mut self.rng).cloned().unwrap_or_default();
        self.command(&verb, client)
    }

    fn operator(&mut self) -> String {
        let names = self.names;
        let (device, client) = (self.one(&names.devices), self.one(&names.clients));
        let contributor = self.one(&names.contributors);
        let (third, number) = (self.rng.random_range(101..140), self.rng.random_range(0..4));
        let endpoint = self.rng.random_range(0..2);
        let mut verbs = vec![
            format!("device drain {device}"),
            format!("device undrain {device}"),
            format!("device undrain {device} --wait"),
            format!("device update {device} --max-users {}", [0, 1, 2, 96][number]),
            format!("device update {device} --endpoints {}", number + 1),
            format!("prefix add {device} 45.33.{third}.0/29"),
            format!("prefix remove {device} 45.33.{third}.0/29"),
            format!(
                "interface create {device} Loopback{} --ip 9.7.{third}.{} --user-tunnel-endpoint",
                150 + number,
                1 + number
            ),
            format!("interface delete {device} Loopback{}", 100 + number),
            format!("interface update {device} Loopback10{endpoint} --service {}", SERVICES[number]),
            format!("device update {device} --public-ip 9.8.{third}.1"),
            format!("config set --endpoints-per-device {}", 1 + number),
            format!("config set --kept-blocks {number}"),
            format!("config set --same-metro-routing {}", number > 0),
            format!("contributor update {contributor} --granted-blocks {number}"),
            format!("contributor add-prefix {contributor} 45.34.{number}.0/28"),
            format!("contributor remove-prefix {contributor} 45.34.{number}.0/28"),
        ];
        if !client.is_empty() {
            let user = format!("--client-ip {client}.client_ip --endpoint {device}.endpoints.{endpoint}");
            verbs.push(format!("user delete {user}"));
            verbs.push(format!("user delete {user} --wait"));
            verbs.push(format!("user ban {user}"));
            verbs.push(format!("access-pass set --client-ip {client}.client_ip --max-unicast {number}"));
        }
        if !names.links.is_empty() {
            let link = self.one(&names.links);
            verbs.push(format!("link drain {link}"));
            verbs.push(format!("link undrain {link}"));
        }
        let verb = verbs.choose(&mut self.rng).cloned().unwrap_or_default();
        self.command(&verb, "operator")
    }

    /// A fault, and what heals it; none if that is broken already.
    fn fault(&mut self) -> Option<String> {
        let names = self.names;
        let (device, client) = (self.one(&names.devices), self.one(&names.clients));
        let node = if self.rng.random() || client.is_empty() { device } else { client };
        let process = match self.rng.random_range(0..4) {
            0 => "activator".to_owned(),
            1 => "controller".to_owned(),
            2 => format!("{device}.agent"),
            _ if client.is_empty() => "activator".to_owned(),
            _ => format!("{client}.daemon"),
        };
        // What is stopped or cut off is not broken again: healing one of the two would heal both.
        if [process.split('.').next().unwrap_or_default(), node].iter().any(|name| self.is_broken(name)) {
            return None;
        }
        let percent = self.rng.random_range(10..60);
        let lasting = |what: String, heal: String| (what, Some(heal));
        let (what, heal) = match self.rng.random_range(0..10) {
            0 | 1 => lasting(format!("{{ process: {process} }}"), format!("{{ process: {process} }}")),
            2 => lasting(format!("{{ process: {process}, how: pause }}"), format!("{{ process: {process} }}")),
            3 | 4 => (format!("{{ process: {process}, how: restart }}"), None),
            5 => (format!("{{ node: {node}, how: reboot }}"), None),
            6 => lasting(format!("{{ node: {node} }}"), format!("{{ node: {node} }}")),
            7 if !client.is_empty() => {
                let path = format!("path: {{ from: {client}, to: {device} }}");
                lasting(format!("{{ {path}, loss: {percent}% }}"), format!("{{ {path} }}"))
            }
            8 if !names.links.is_empty() => {
                let link = self.one(&names.links);
                lasting(format!("{{ link: {link} }}"), format!("{{ link: {link} }}"))
            }
            _ => {
                let fault = [
                    "outage".to_owned(),
                    "slow, delay: 80ms".to_owned(),
                    format!("lost_notifications, share: {percent}%"),
                    "duplicated_notifications".to_owned(),
                    "stale_reads, slots: 2".to_owned(),
                    format!("refused_sends, share: {percent}%"),
                ];
                let fault = fault.choose(&mut self.rng).cloned().unwrap_or_default();
                let kind = fault.split(',').next().unwrap_or_default().to_owned();
                lasting(format!("{{ ledger: {fault} }}"), format!("{{ ledger: {kind} }}"))
            }
        };
        let Some(heal) = heal else { return Some(format!("fault: {what}")) };
        if self.broken.contains(&heal) {
            return None;
        }
        self.broken.push(heal);
        // Nobody chose what happens while it lasts, so it may hit nothing.
        Some(format!("fault: {what}\n    idle: allowed"))
    }

    fn heal(&mut self) -> String {
        if self.rng.random_range(0..4) == 0 {
            self.broken.clear();
            return "heal: all".to_owned();
        }
        let index = self.rng.random_range(0..self.broken.len());
        format!("heal: {}", self.broken.remove(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Names {
            contributors: list(&["co1"]),
            devices: list(&["nyc1", "pit1"]),
            clients: list(&["val1"]),
            groups: list(&["mg01"]),
            links: list(&["nyc1-pit1"]),
        }
    }

    #[test]
    fn equal_seeds_draw_equal_histories() {
        let names = names();
        let draw = |seed| Drawer::new(&names, Weights::default(), seed).history(50);
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn every_lasting_fault_is_healed() {
        let names = names();
        for seed in 0..200 {
            let steps = Drawer::new(&names, Weights::default(), seed).history(30);
            let mut broken = Vec::new();
            for step in &steps {
                match step.split_once(": ") {
                    Some(("fault", what)) if !what.contains("restart") && !what.contains("reboot") => broken.push(what),
                    Some(("heal", "all")) => broken.clear(),
                    Some(("heal", _)) => drop(broken.pop()),
                    _ => {}
                }
            }
            assert_eq!(broken, [""; 0], "{steps:#?}");
        }
    }

    #[test]
    fn a_network_without_clients_links_and_groups_has_histories_too() {
        let names = Names { devices: vec!["nyc1".to_owned()], ..Names::default() };
        let steps = Drawer::new(&names, Weights::default(), 1).history(200);
        assert!(steps.iter().all(|step| !step.contains("on: \n") && !step.contains("link")), "{steps:#?}");
    }

    #[test]
    fn weights_are_read_by_name() {
        assert_eq!("client=1,fault=0".parse(), Ok(Weights { client: 1, fault: 0, ..Weights::default() }));
        for text in ["", "client", "client=x", "nobody=1", "client=0,operator=0"] {
            assert!(text.parse::<Weights>().is_err(), "{text}");
        }
    }
}
