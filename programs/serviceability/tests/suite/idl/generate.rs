//! The IDL: instructions and their accounts from the typed lists, types from the source, refusals from the list of errors.

use std::collections::BTreeSet;

use anchor_lang_idl_spec::{
    IDL_SPEC, Idl, IdlAccount, IdlDefinedFields, IdlErrorCode, IdlField, IdlInstruction, IdlInstructionAccount,
    IdlInstructionAccountItem, IdlMetadata, IdlPda, IdlSeed, IdlSeedArg, IdlSeedConst, IdlType, IdlTypeDef,
    IdlTypeDefTy,
};
use dz_sdk::instruction::CLOCK;
use dz_serviceability::{
    ID as P,
    error::ServiceabilityError,
    lists::{ALL, Access, Presence, Slot, Spec},
    state::AccountType,
    upgrade,
};
use strum::IntoEnumIterator;
use syn::Fields;

use super::source::{Source, docs, field, idl_type};

pub(crate) fn idl() -> Idl {
    let source = Source::read();
    let instructions: Vec<_> = ALL.iter().enumerate().map(|(tag, spec)| instruction(&source, tag, spec)).collect();
    let (mut types, mut missing) = (Vec::<IdlTypeDef>::new(), BTreeSet::new());
    for account in AccountType::iter() {
        types.push(account_type(&source, &account.to_string()));
    }
    for instruction in &instructions {
        instruction.args.iter().for_each(|arg| names(&arg.ty, &mut missing));
    }
    let mut looked_at = 0;
    loop {
        types[looked_at..].iter().for_each(|found| names_of(found, &mut missing));
        looked_at = types.len();
        missing.retain(|name| !types.iter().any(|found| found.name == *name));
        if missing.is_empty() {
            break;
        }
        types.extend(missing.iter().map(|name| source.type_def(name)));
    }
    types.sort_by(|one, other| one.name.cmp(&other.name));
    let account = |kind: AccountType| IdlAccount { name: kind.to_string(), discriminator: vec![kind as u8] };
    let error = |error: ServiceabilityError| {
        let name = error.as_ref().to_owned();
        IdlErrorCode { code: error.code(), name, msg: Some(error.to_string()) }
    };
    Idl {
        address: P.to_string(),
        metadata: IdlMetadata {
            name: env!("CARGO_PKG_NAME").replace('-', "_"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            spec: IDL_SPEC.to_owned(),
            description: Some(env!("CARGO_PKG_DESCRIPTION").to_owned()),
            repository: None,
            dependencies: vec![],
            contact: None,
            deployments: None,
        },
        docs: vec![],
        instructions,
        accounts: AccountType::iter().map(account).collect(),
        events: vec![],
        errors: ServiceabilityError::iter().map(error).collect(),
        types,
        constants: vec![],
    }
}

/// The fields of an account after those of its header, which stand in every one.
fn account_type(source: &Source, name: &str) -> IdlTypeDef {
    let mut found = source.type_def(name);
    let header = source.item_struct("Header");
    if let IdlTypeDefTy::Struct { fields: Some(IdlDefinedFields::Named(fields)) } = &mut found.ty {
        fields.splice(0..0, header.fields.iter().map(field));
    }
    found
}

fn instruction(source: &Source, tag: usize, spec: &Spec) -> IdlInstruction {
    let all = source.item_enum("ServiceabilityInstruction");
    let variant = &all.variants[tag];
    assert_eq!(variant.ident, spec.instruction);
    let life = IdlField {
        name: "life".to_owned(),
        docs: vec!["The life of the account after the config that this was decided on; 0 for any.".to_owned()],
        ty: IdlType::U64,
    };
    let mut args = vec![life];
    match &variant.fields {
        Fields::Named(named) => args.extend(named.named.iter().map(field)),
        Fields::Unnamed(unnamed) => args.extend(unnamed.unnamed.iter().map(|one| {
            let ty = idl_type(&one.ty);
            IdlField { name: "args".to_owned(), docs: vec![], ty }
        })),
        Fields::Unit => {}
    }
    let mut docs = docs(&variant.attrs);
    let mut accounts = vec![
        account("signer", |signer| (signer.writable, signer.signer) = (true, true)),
        account("system_program", |system| system.address = Some(solana_system_interface::program::ID.to_string())),
    ];
    for slot in spec.slots {
        match slot.presence {
            // The IDL has no word for it: the caller lists them after the others.
            Presence::Many => docs.push(format!("Accounts after the last: `{}`, {}.", slot.name, change(slot.access))),
            Presence::One | Presence::Maybe => accounts.push(account(slot.name, |account| {
                account.writable = slot.access == Access::Write;
                account.optional = slot.presence == Presence::Maybe;
                place(account, spec, slot, &args);
            })),
        }
    }
    let discriminator = vec![u8::try_from(tag).unwrap()];
    IdlInstruction { name: snake(spec.instruction), docs, discriminator, accounts, args, returns: None }
}

fn change(access: Access) -> &'static str {
    match access {
        Access::Read => "which are read",
        Access::Write => "which are writable",
    }
}

fn account(name: &str, change: impl FnOnce(&mut IdlInstructionAccount)) -> IdlInstructionAccountItem {
    let mut account = IdlInstructionAccount {
        name: name.to_owned(),
        docs: vec![],
        writable: false,
        signer: false,
        optional: false,
        address: None,
        pda: None,
        relations: vec![],
    };
    change(&mut account);
    IdlInstructionAccountItem::Single(account)
}

/// Where an account is, if that follows from the arguments alone; a client then fills it in by itself.
fn place(account: &mut IdlInstructionAccount, spec: &Spec, slot: &Slot, args: &[IdlField]) {
    let constant = |bytes: &[u8]| IdlSeed::Const(IdlSeedConst { value: bytes.to_vec() });
    let argument = |path: &str| IdlSeed::Arg(IdlSeedArg { path: path.to_owned() });
    let has = |name: &str| args.iter().any(|arg| arg.name == name);
    let is_subject = slot.name == spec.slots.get(1).map_or("", |subject| subject.name);
    let seeds = match slot.name {
        "config" => vec![constant(b"config")],
        "clock" => return account.address = Some(CLOCK.to_string()),
        "program_data" => {
            let program = Some(constant(upgrade::LOADER.as_ref()));
            return account.pda = Some(IdlPda { seeds: vec![constant(P.as_ref())], program });
        }
        "user" if has("client_ip") => vec![constant(b"user"), argument("client_ip"), argument("endpoint_ip")],
        "client" if has("client_ip") && spec.instruction == "CreateUser" => {
            vec![constant(b"client"), argument("client_ip")]
        }
        "device" if spec.instruction == "CreateDevice" => vec![constant(b"device"), argument("args.code")],
        name if is_subject && has("code") => vec![constant(name.as_bytes()), argument("code")],
        _ => return,
    };
    account.pda = Some(IdlPda { seeds, program: None });
}

/// The types that a type is made of, under their names.
fn names(ty: &IdlType, into: &mut BTreeSet<String>) {
    match ty {
        IdlType::Option(inner) | IdlType::Vec(inner) | IdlType::Array(inner, _) => names(inner, into),
        IdlType::Defined { name, .. } => drop(into.insert(name.clone())),
        _ => {}
    }
}

fn names_of(found: &IdlTypeDef, into: &mut BTreeSet<String>) {
    let mut of_fields = |fields: &Option<IdlDefinedFields>| match fields {
        Some(IdlDefinedFields::Named(fields)) => fields.iter().for_each(|field| names(&field.ty, into)),
        Some(IdlDefinedFields::Tuple(types)) => types.iter().for_each(|ty| names(ty, into)),
        None => {}
    };
    match &found.ty {
        IdlTypeDefTy::Struct { fields } => of_fields(fields),
        IdlTypeDefTy::Enum { variants } => variants.iter().for_each(|variant| of_fields(&variant.fields)),
        _ => {}
    }
}

/// `CreateUser` as `create_user`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
