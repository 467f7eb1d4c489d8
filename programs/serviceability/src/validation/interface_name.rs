//! Names of interfaces as the devices have them, and the short forms people type.

use std::{fmt, str::FromStr};

use crate::state::InterfaceKind;

/// A name in full form: `Ethernet1/1`, `Switch1/1/0`, `Loopback100`, `Port-channel1`, `Vlan100`, each but the
/// loopback with an optional subinterface such as `.10`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceName {
    form: &'static Form,
    parts: Vec<u16>,
    subinterface: Option<u16>,
}

/// The text is no interface name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no interface name; expected a form such as Ethernet1/1 or Loopback100")]
pub struct InvalidInterfaceName(pub String);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    full: &'static str,
    short: &'static str,
    /// How many numbers, at least and at most.
    parts: (usize, usize),
    subinterfaces: bool,
}

static FORMS: [Form; 5] = [
    Form { full: "Ethernet", short: "et", parts: (1, 2), subinterfaces: true },
    Form { full: "Switch", short: "sw", parts: (3, 3), subinterfaces: true },
    Form { full: "Loopback", short: "lo", parts: (1, 1), subinterfaces: false },
    Form { full: "Port-channel", short: "po", parts: (1, 1), subinterfaces: true },
    Form { full: "Vlan", short: "vl", parts: (1, 1), subinterfaces: true },
];

impl InterfaceName {
    /// The words that names begin with in full form.
    pub fn words() -> impl Iterator<Item = &'static str> {
        FORMS.iter().map(|form| form.full)
    }

    /// The loopback with this number.
    pub fn loopback(number: u16) -> Self {
        Self { form: &FORMS[2], parts: vec![number], subinterface: None }
    }

    /// What the interface is.
    pub fn kind(&self) -> InterfaceKind {
        if self.loopback_number().is_some() { InterfaceKind::Loopback } else { InterfaceKind::Physical }
    }

    /// The number of a loopback.
    pub fn loopback_number(&self) -> Option<u16> {
        (self.form.full == "Loopback").then(|| self.parts.first().copied()).flatten()
    }
}

impl FromStr for InterfaceName {
    type Err = InvalidInterfaceName;

    fn from_str(text: &str) -> Result<Self, InvalidInterfaceName> {
        parse(text).ok_or_else(|| InvalidInterfaceName(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<InterfaceName> {
    let (form, rest) = FORMS.iter().find_map(|form| {
        let rest = strip(text, form.full).or_else(|| strip(text, form.short))?;
        Some((form, rest))
    })?;
    let (numbers, subinterface) = match rest.split_once('.') {
        Some((numbers, subinterface)) if form.subinterfaces => (numbers, Some(number(subinterface)?)),
        Some(_) => return None,
        None => (rest, None),
    };
    let parts = numbers.split('/').map(number).collect::<Option<Vec<_>>>()?;
    (form.parts.0..=form.parts.1).contains(&parts.len()).then_some(InterfaceName { form, parts, subinterface })
}

fn strip<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    (head.eq_ignore_ascii_case(word) && rest.starts_with(|c: char| c.is_ascii_digit())).then_some(rest)
}

/// A number without sign and without leading zeros, so that every interface has one name.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.form.full)?;
        for (index, part) in self.parts.iter().enumerate() {
            write!(f, "{}{part}", if index == 0 { "" } else { "/" })?;
        }
        self.subinterface.map_or(Ok(()), |number| write!(f, ".{number}"))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Ethernet1/1", "Ethernet1/1", None)]
    #[case("et12", "Ethernet12", None)]
    #[case("ETHERNET1/2.100", "Ethernet1/2.100", None)]
    #[case("sw1/1/0", "Switch1/1/0", None)]
    #[case("lo100", "Loopback100", Some(100))]
    #[case("Loopback0", "Loopback0", Some(0))]
    #[case("PORT-CHANNEL7.4", "Port-channel7.4", None)]
    #[case("vl10", "Vlan10", None)]
    fn full_form(#[case] text: &str, #[case] full: &str, #[case] loopback: Option<u16>) {
        let name: InterfaceName = text.parse().unwrap();
        assert_eq!((name.to_string().as_str(), name.loopback_number()), (full, loopback));
        assert_eq!(name.to_string().parse(), Ok(name));
    }

    #[rstest]
    fn refused(
        #[values(
            "",
            "lo",
            "lo-1",
            "lo1.2",
            "lo65536",
            "lo01",
            "lo1/2",
            "et",
            "et1/2/3",
            "et1/",
            "et/1",
            "sw1/1",
            "eth0",
            "et1.",
            "et1.1.1",
            "Loopback 1",
            "ö1"
        )]
        text: &str,
    ) {
        assert_eq!(text.parse::<InterfaceName>(), Err(InvalidInterfaceName(text.to_owned())));
    }
}
