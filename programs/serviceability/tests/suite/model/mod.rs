//! Random histories against a small reference: what may be done is predicted from plain sets and recounts, the
//! program must agree on each instruction, and after each everything is recounted.
//!
//! A history is a list of [`Op`]s, each a handful of numbers that are read in the light of what is there. So any part
//! of a history is a history, and a failing one shrinks to a few lines.
//!
//!     DZ_MODEL_SEED=7 cargo test -p dz-serviceability model      one seed, printed when it fails
//!     DZ_MODEL_SEEDS=1000 cargo test -p dz-serviceability model  more of them, from DZ_MODEL_FIRST on

mod device;
mod network;
mod teardown;
mod user;
mod world;

use std::{collections::BTreeMap, fmt, ops::Range, panic::AssertUnwindSafe};

use dz_sdk::{
    NetworkView,
    audit::audit,
    instruction::decided_on,
    local::{LocalBank, LocalError},
};
use dz_serviceability::{
    ID as P,
    error::ServiceabilityError,
    instruction::ServiceabilityInstruction,
    state::{AccessPass, Header, Link, LinkEnd},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use self::world::{ACTORS, furnished, genesis};

/// One step: a verb and the numbers it is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    verb: u8,
    /// The signer; mostly one that has the right.
    actor: u8,
    a: u8,
    b: u8,
    c: u8,
    /// Which account to swap for another one, if any.
    swap: Option<(u8, u8)>,
}

/// What a verb makes of an op.
pub(crate) struct Step {
    pub(crate) actor: usize,
    pub(crate) instructions: Vec<Instruction>,
    /// What the reference says.
    pub(crate) legal: bool,
}

impl Op {
    fn random(dice: &mut SmallRng) -> Self {
        Self {
            // Half of all that happens is about users.
            verb: if dice.random() { dice.random_range(185..=255) } else { dice.random() },
            actor: dice.random(),
            a: dice.random(),
            b: dice.random(),
            c: dice.random(),
            swap: dice.random_ratio(1, 16).then(|| (dice.random(), dice.random())),
        }
    }

    /// Who signs: usually `usual`, now and then anybody.
    pub(crate) fn actor(&self, usual: usize) -> usize {
        if self.actor < 32 { usize::from(self.actor) % ACTORS.len() } else { usual }
    }
}

/// What was wrong after how many steps.
struct Failure {
    step: usize,
    what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: {}", self.step, self.what)
    }
}

/// How often each verb was accepted and refused.
type Tally = BTreeMap<String, (u32, u32)>;

/// What every key owns: what it has, and what it has paid for accounts and gets back when they go. Nothing that is done
/// changes it, with any signer.
fn wealth(bank: &LocalBank) -> BTreeMap<Pubkey, u64> {
    let mut wealth = BTreeMap::new();
    for (key, record) in bank.accounts() {
        let owner = if record.owner == P {
            Header::read(&record.data).map_or(*key, |(_, header)| header.rent_payer)
        } else {
            *key
        };
        *wealth.entry(owner).or_default() += record.lamports;
    }
    wealth
}

/// An instruction that was carried out, with who sent it.
type Done = (usize, Instruction);

/// Whatever was done to a thing that has been closed and created again is refused when it is sent once more.
fn replay(bank: &LocalBank, view: &NetworkView, done: &[Done]) -> Result<u32, String> {
    let mut refused = 0;
    for (actor, instruction) in done {
        let life = instruction.data[1..9].try_into().map_or(0, u64::from_le_bytes);
        let now = instruction.accounts.get(3).and_then(|meta| view.life(&meta.pubkey));
        if life == 0 || now.is_none_or(|now| now == life) {
            continue;
        }
        let result = bank.clone().execute(&[ACTORS[*actor]], std::slice::from_ref(instruction));
        let expected = LocalError::Refused { instruction: 0, error: ServiceabilityError::AnotherLife };
        let decoded = ServiceabilityInstruction::decode(&instruction.data);
        // A list that names an account twice by now is refused for that.
        let twice = LocalError::Refused { instruction: 0, error: ServiceabilityError::DuplicateAccount };
        if result != Err(expected) && result != Err(twice) {
            return Err(format!("{decoded:?} of life {life} in life {now:?}: {result:?}"));
        }
        refused += 1;
    }
    Ok(refused)
}

/// Who may change what others rely on: the limits and tenants of a pass are its giver's, each side's drain of a link is
/// that side's.
fn check_reach(
    passes: &BTreeMap<Pubkey, AccessPass>,
    links: &BTreeMap<Pubkey, Link>,
    after: &NetworkView,
    actor: usize,
) -> Result<(), String> {
    if actor == world::F {
        return Ok(());
    }
    for (key, pass) in passes {
        let Some(now) = after.access_pass(key) else { continue };
        let terms = |pass: &AccessPass| {
            (pass.tenants.clone(), pass.last_access_epoch, pass.max_unicast_users, pass.max_multicast_users)
        };
        let gave = after.tenant(&pass.giver).is_some_and(|tenant| tenant.administrators.contains(&ACTORS[actor]));
        if terms(pass) != terms(now) && !gave {
            return Err(format!("pass {key} is no pass of actor {actor}'s, and now {now:?}"));
        }
        // A group comes into a pass by its owner, and goes by its owner, who gave the pass or whose the pass is.
        let changed = |before: &[Pubkey], now: &[Pubkey]| {
            let owns = |group: &Pubkey| after.group(group).is_some_and(|group| group.owner == ACTORS[actor]);
            let came = now.iter().any(|group| !before.contains(group) && !owns(group));
            let went = before.iter().any(|group| !now.contains(group) && !owns(group));
            came || (went && !gave && pass.payer != ACTORS[actor])
        };
        if changed(&pass.publish, &now.publish) || changed(&pass.subscribe, &now.subscribe) {
            return Err(format!("groups of others come or go in pass {key} by actor {actor}, and now {now:?}"));
        }
    }
    for (key, link) in links {
        let Some(now) = after.link(key) else { continue };
        let owns = |end: LinkEnd| {
            let contributor = after.device(&end.device).and_then(|device| after.contributor(&device.contributor));
            contributor.is_some_and(|found| found.owner == ACTORS[actor])
        };
        let a = link.drained_by_a != now.drained_by_a && !owns(link.side_a);
        let z = link.drained_by_z != now.drained_by_z && !owns(link.side_z);
        if a || z {
            return Err(format!("link {key} is drained or opened for another side by actor {actor}: {now:?}"));
        }
    }
    Ok(())
}

/// What came of a history: instructions sent, and instructions refused when they were sent again to a later life.
#[derive(Default)]
struct Count {
    sent: u32,
    replayed: u32,
}

/// Every third history starts from nothing, the others in a network that works.
fn start(seed: u64) -> LocalBank {
    if seed.is_multiple_of(3) { genesis() } else { furnished() }
}

fn run(seed: u64, ops: &[Op], tally: &mut Tally) -> Result<Count, Failure> {
    let mut bank = start(seed);
    let mut view = bank.view().expect("a fresh bank");
    let (mut count, mut done, owned) = (Count::default(), Vec::new(), wealth(&bank));
    for (step, op) in ops.iter().enumerate() {
        let fail = |what: String| Failure { step, what };
        let stepped = std::panic::catch_unwind(AssertUnwindSafe(|| apply(&mut bank, &mut view, op, tally, &mut done)));
        count.sent += stepped.unwrap_or_else(|_| Err("a panic".to_owned())).map_err(fail)?;
        if wealth(&bank) != owned {
            return Err(fail(format!("money has changed hands: {:?}, and before {owned:?}", wealth(&bank))));
        }
    }
    let step = ops.len().saturating_sub(1);
    count.replayed = replay(&bank, &view, &done).map_err(|what| Failure { step, what })?;
    teardown::tear_down(bank, &owned).map_err(|what| Failure { step, what })?;
    Ok(count)
}

/// What a random history leaves behind, and what was carried out in it.
pub(crate) fn played(seed: u64) -> (LocalBank, Vec<Instruction>) {
    let mut bank = start(seed);
    let (mut view, mut done) = (bank.view().expect("a fresh bank"), Vec::new());
    for op in history(seed) {
        let op = Op { swap: None, ..op };
        apply(&mut bank, &mut view, &op, &mut Tally::new(), &mut done).expect("the model holds this");
    }
    (bank, done.into_iter().map(|(_, instruction)| instruction).collect())
}

fn apply(
    bank: &mut LocalBank,
    view: &mut NetworkView,
    op: &Op,
    tally: &mut Tally,
    done: &mut Vec<Done>,
) -> Result<u32, String> {
    let Some(mut step) = network::step(view, op).or_else(|| user::step(view, op)) else { return Ok(0) };
    step.instructions = step.instructions.into_iter().map(|one| decided_on(view, one)).collect();
    let swapped = swap(view, op, &mut step);
    let name = step.instructions.last().map_or(String::new(), |last| {
        ServiceabilityInstruction::decode(&last.data).map_or("?".to_owned(), |decoded| format!("{decoded:?}"))
    });
    let result = bank.execute(&[ACTORS[step.actor]], &step.instructions);
    match &result {
        Ok(_) => {
            done.extend(step.instructions.iter().map(|one| (step.actor, one.clone())));
            for instruction in &step.instructions {
                let (_, decoded) = ServiceabilityInstruction::decode(&instruction.data).map_err(|e| e.to_string())?;
                tally.entry(decoded.as_ref().to_owned()).or_default().0 += 1;
            }
        }
        Err(LocalError::Refused { instruction, .. }) => {
            let refused = ServiceabilityInstruction::decode(&step.instructions[*instruction].data);
            tally.entry(refused.map_err(|e| e.to_string())?.1.as_ref().to_owned()).or_default().1 += 1;
        }
        Err(error) => return Err(format!("{name}: {error}")),
    }
    if !swapped && result.is_ok() != step.legal {
        let said = if step.legal { "may be done" } else { "may not be done" };
        return Err(format!("{name} by actor {} {said}, and the program says {result:?}", step.actor));
    }
    let (passes, links) = (view.access_passes().clone(), view.links().clone());
    bank.refresh(view).map_err(|error| format!("{name}: {error}"))?;
    check_reach(&passes, &links, view, step.actor).map_err(|error| format!("{name}: {error}"))?;
    let findings = audit(view);
    if !findings.is_empty() {
        let list: Vec<_> = findings.iter().map(ToString::to_string).collect();
        return Err(format!("after {name}: {}", list.join("; ")));
    }
    Ok(step.instructions.len() as u32)
}

/// Puts another account of the program into the list. The outcome is not predicted, but all invariants must hold.
fn swap(view: &NetworkView, op: &Op, step: &mut Step) -> bool {
    let Some((index, other)) = op.swap else { return false };
    let keys: Vec<_> = view.pools().keys().chain(view.users().keys()).chain(view.devices().keys()).collect();
    let Some(instruction) = step.instructions.last_mut() else { return false };
    if keys.is_empty() || instruction.accounts.len() < 4 {
        return false;
    }
    let index = 3 + usize::from(index) % (instruction.accounts.len() - 3);
    instruction.accounts[index].pubkey = *keys[usize::from(other) % keys.len()];
    true
}

fn history(seed: u64) -> Vec<Op> {
    let mut dice = SmallRng::seed_from_u64(seed);
    (0..600).map(|_| Op::random(&mut dice)).collect()
}

/// Leaves out whatever the failure does not need.
fn shrink(seed: u64, mut ops: Vec<Op>) -> (Vec<Op>, Failure) {
    let fails = |ops: &[Op]| run(seed, ops, &mut Tally::new()).err();
    let mut failure = fails(&ops).expect("it failed before");
    ops.truncate(failure.step + 1);
    let mut chunk = ops.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < ops.len() {
            let mut shorter = ops.clone();
            shorter.drain(at..(at + chunk).min(ops.len()));
            match fails(&shorter) {
                Some(found) => {
                    shorter.truncate(found.step + 1);
                    (ops, failure) = (shorter, found);
                }
                None => at += chunk,
            }
        }
        chunk /= 2;
    }
    (ops, failure)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seed that the environment names, or as many as it says, or this number.
fn seeds(few: u64) -> Range<u64> {
    match number("DZ_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = number("DZ_MODEL_FIRST").unwrap_or(0);
            first..first + number("DZ_MODEL_SEEDS").unwrap_or(few)
        }
    }
}

#[test]
fn random_histories_agree_with_the_reference() {
    let whole = number("DZ_MODEL_SEED").is_none();
    let (mut tally, mut sent, mut replayed) = (Tally::new(), 0, 0);
    let seeds = seeds(36);
    let histories = u32::try_from(seeds.end - seeds.start).expect("as many as can be run");
    for seed in seeds {
        let ops = history(seed);
        match run(seed, &ops, &mut tally) {
            Ok(count) => {
                sent += count.sent;
                replayed += count.replayed;
            }
            Err(failure) => {
                let (ops, shrunk) = shrink(seed, ops);
                panic!("seed {seed}: {failure}\nshrunk to {} ops: {shrunk}\n{ops:#?}", ops.len());
            }
        }
    }
    println!(
        "{histories} histories, {sent} instructions, {replayed} refused when sent again; accepted and refused by verb: {tally:#?}"
    );
    if whole {
        let enough = sent >= 280 * histories && replayed >= histories;
        assert!(enough, "only {sent} instructions, {replayed} of them sent again");
        // A verb that never succeeds here is not tested here.
        let verbs = <ServiceabilityInstruction as strum::EnumCount>::COUNT - 1;
        let one_sided: Vec<_> = tally.iter().filter(|(_, (yes, no))| *yes == 0 || *no == 0).collect();
        assert!(tally.len() == verbs && one_sided.is_empty(), "{} of {verbs} verbs; {one_sided:?}", tally.len());
    }
}

/// Writes over a byte of an account that the instruction is given. Nothing predicts what the account then says.
fn corrupt(bank: &mut LocalBank, instruction: &Instruction, dice: &mut SmallRng) {
    let meta = &instruction.accounts[dice.random_range(2..instruction.accounts.len())];
    let Some(record) = bank.accounts().get(&meta.pubkey).filter(|record| record.owner == P) else { return };
    let mut record = record.clone();
    let at = dice.random_range(0..record.data.len());
    record.data[at] = match dice.random_range(0..4) {
        0 => 0,
        1 => 1,
        2 => u8::MAX,
        _ => dice.random(),
    };
    bank.set_account(meta.pubkey, record);
}

/// Accounts are the program's own, and still it takes none at its word: whatever bytes they hold, an instruction is
/// carried out or refused. It neither panics nor breaks a rule of the bank.
#[test]
fn whatever_an_account_says_nothing_breaks() {
    let (mut carried_out, mut refused) = (0, BTreeMap::<String, u32>::new());
    for seed in seeds(4) {
        let mut dice = SmallRng::seed_from_u64(seed);
        let mut bank = furnished();
        let mut view = bank.view().expect("a fresh bank");
        for op in history(seed) {
            let step = network::step(&view, &op).or_else(|| user::step(&view, &op));
            for instruction in step.iter().flat_map(|step| &step.instructions) {
                let mut broken = bank.clone();
                for _ in 0..dice.random_range(1..4) {
                    corrupt(&mut broken, instruction, &mut dice);
                }
                let signers: Vec<_> =
                    instruction.accounts.iter().filter(|meta| meta.is_signer).map(|meta| meta.pubkey).collect();
                let asked = || ServiceabilityInstruction::decode(&instruction.data);
                let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
                    broken.execute(&signers, std::slice::from_ref(instruction))
                }));
                match outcome {
                    Ok(Ok(_)) => carried_out += 1,
                    Ok(Err(LocalError::Refused { error, .. })) => {
                        *refused.entry(error.as_ref().to_owned()).or_default() += 1;
                    }
                    Ok(Err(error)) => panic!("seed {seed}, {:?}: {error}", asked()),
                    Err(_) => panic!("seed {seed}, {:?}: a panic", asked()),
                }
            }
            // The history itself goes on as if nothing had happened.
            apply(&mut bank, &mut view, &op, &mut Tally::new(), &mut Vec::new()).expect("the model holds this");
        }
    }
    println!("{carried_out} carried out; refused: {refused:#?}");
    if number("DZ_MODEL_SEED").is_none() {
        let kinds = refused.len();
        assert!(carried_out >= 150 && kinds >= 60, "{carried_out} carried out, {kinds} kinds of refusals");
    }
}
