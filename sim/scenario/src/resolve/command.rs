//! Command lines of `run` steps: split into words, and checked as far as they can be before they run.

use std::collections::BTreeSet;

use super::{
    context::{At, Context},
    device::similar_interface,
    reference::{self, Word},
};
use crate::{
    Lexicon, Plan, Refusal,
    diagnostic::nearest,
    plan::{Arg, DeviceCode, ExitCode, GroupCode, Program, Ref, TenantCode},
};

/// The program that operators and users have.
const PROGRAM: &str = "doublezero";
/// Longer than any argument of it that means something.
const MAX_ARGUMENT_BYTES: usize = 4096;

/// Names that earlier commands have created, as far as their words show.
#[derive(Default)]
pub(super) struct Created {
    words: BTreeSet<String>,
}

/// The exit code of `doublezero` for a command line that is wrong.
const USAGE: u8 = 2;

/// The words of a command line. Names in it are checked if it is expected to succeed, and verbs and options unless it is
/// expected to be wrong.
pub(super) fn command<'t>(
    context: &mut Context<'t, '_, '_>,
    at: At<'t>,
    line: &str,
    exit: ExitCode,
    (plan, lexicon): (&Plan, &dyn Lexicon),
    created: &mut Created,
) -> (Program, Vec<Arg>) {
    let words = match split(line) {
        Ok(words) => words,
        Err(why) => {
            context.error(at, why, "");
            return (Program::DoubleZero, Vec::new());
        }
    };
    if let Some(long) = words.iter().find(|word| word.len() > MAX_ARGUMENT_BYTES) {
        let message = format!("an argument of {} bytes: at most {MAX_ARGUMENT_BYTES} are allowed", long.len());
        context.error(at, message, "");
        return (Program::DoubleZero, Vec::new());
    }
    match words.first() {
        Some(program) if program == PROGRAM => {}
        Some(program) if program.contains('/') => {
            let args = words.iter().map(|word| arg(context, at, word, plan)).collect();
            return (Program::Own(program.clone()), args);
        }
        Some(program) => {
            let message = format!(
                "unknown program `{program}`: a step runs `{PROGRAM}`, or a program of your own by its path, such as \
                 `./{program}`"
            );
            let near = nearest(program, [PROGRAM]);
            context.error(at, message, if near.starts_with("did") { near } else { String::new() });
        }
        None => context.error(at, format!("the command is empty: expected `{PROGRAM}` and its arguments"), ""),
    }
    if exit == ExitCode::Code(0) {
        names(context, at, &words, plan, created);
        interface_name(context, at, &words, lexicon);
    }
    if exit != ExitCode::Code(USAGE) && words.first().is_some_and(|program| program == PROGRAM) {
        let values: Vec<String> = words[1..].iter().map(|word| value(word, plan)).collect();
        if let Some(Refusal { word, message, help }) = lexicon.refusal(&values) {
            context.error_in(at, &word, message, help);
        }
    }
    if words.iter().any(|word| word == "create") {
        created.words.extend(words.iter().cloned());
    }
    (Program::DoubleZero, words.iter().map(|word| arg(context, at, word, plan)).collect())
}

/// A word as it may be when the command runs: of a reference, something of its kind.
fn value(word: &str, plan: &Plan) -> String {
    match reference::word(word, plan) {
        Ok(Some(Word::Address(address))) => address.to_string(),
        Ok(Some(Word::Ref(Ref::Prefix { .. }))) => "192.0.2.0/24".to_owned(),
        Ok(Some(Word::Ref(Ref::Key(_)))) => "11111111111111111111111111111111".to_owned(),
        Ok(Some(Word::Ref(_))) | Err(_) => "192.0.2.1".to_owned(),
        Ok(None) => word.to_owned(),
    }
}

fn arg<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, word: &str, plan: &Plan) -> Arg {
    match reference::word(word, plan) {
        Ok(Some(Word::Address(address))) => Arg::Text(address.to_string()),
        Ok(Some(Word::Ref(found))) => Arg::Ref(found),
        Ok(None) => Arg::Text(word.to_owned()),
        Err(stray) => {
            reference::stray(context, at, &stray, plan);
            Arg::Text(word.to_owned())
        }
    }
}

/// Verbs about a device whose next word is its code.
const OF_A_DEVICE: [&str; 5] = ["delete", "drain", "get", "undrain", "update"];

/// Verbs about an interface whose next words are its device and its name.
const OF_AN_INTERFACE: [&str; 4] = ["create", "delete", "get", "update"];

/// The name of an interface, as far as its form goes: which interfaces a device has is known when the command runs.
fn interface_name<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, words: &[String], lexicon: &dyn Lexicon) {
    let [_, interface, verb, device, name, ..] = words else { return };
    let is_name = interface == "interface" && OF_AN_INTERFACE.contains(&verb.as_str());
    if !is_name || device.starts_with('-') || name.starts_with('-') || lexicon.is_interface(name) {
        return;
    }
    let help = similar_interface(name, &lexicon.interface_words(), |form| lexicon.is_interface(form));
    context.error_in(at, name, format!("`{name}` is no name of an interface"), help);
}

/// Values of options that name things of the network, and the device of a verb.
fn names<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, words: &[String], plan: &Plan, created: &Created) {
    if let [_, device, verb, code, ..] = words
        && device == "device"
        && OF_A_DEVICE.contains(&verb.as_str())
        && !code.starts_with('-')
        && !plan.devices.contains_key(code.as_str())
        && !created.words.contains(code)
    {
        context.unknown(at, "device", code, &["devices"], plan.devices.keys().map(DeviceCode::as_str));
    }
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word.as_str(), None),
        };
        if !["--device", "--subscribe", "--publish", "--tenant"].contains(&option) {
            continue;
        }
        let Some(value) = value.or_else(|| words.next().map(String::as_str)) else { return };
        for name in value.split(',').filter(|name| !created.words.contains(*name)) {
            match option {
                "--device" if !plan.devices.contains_key(name) => {
                    let known = plan.devices.keys().map(DeviceCode::as_str);
                    context.unknown(at, "device", name, &["devices"], known);
                }
                "--subscribe" | "--publish" if !plan.groups.contains_key(name) => {
                    let known = plan.groups.keys().map(GroupCode::as_str);
                    context.unknown(at, "group", name, &["groups"], known);
                }
                "--tenant" if !plan.tenants.contains_key(name) => {
                    let known = plan.tenants.keys().map(TenantCode::as_str);
                    context.unknown(at, "tenant", name, &["tenants"], known);
                }
                _ => {}
            }
        }
    }
}

/// Words between blanks; quotes of either kind keep blanks, and nothing else is special.
fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match quote {
        Some(open) => Err(format!("the quote {open} is not closed")),
        None => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quotes_keep_blanks_and_empty_words() {
        let words = split(r#"doublezero  device create --name "New York" --note '' --x='a "b"'"#);
        let expected = ["doublezero", "device", "create", "--name", "New York", "--note", "", r#"--x=a "b""#];
        assert_eq!(words, Ok(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn an_open_quote_is_refused() {
        assert_eq!(split("doublezero 'connect"), Err("the quote ' is not closed".to_owned()));
    }
}
