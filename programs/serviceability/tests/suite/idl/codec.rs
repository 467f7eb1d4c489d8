//! A client of the IDL alone, as a foreign one would be: bytes to values, values to bytes, an instruction from names.

use anchor_lang_idl_spec::{
    Idl, IdlArrayLen, IdlDefinedFields, IdlInstruction, IdlInstructionAccount, IdlInstructionAccountItem, IdlSeed,
    IdlType, IdlTypeDefTy,
};
use serde_json::{Map, Value, json};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

pub(crate) struct Client<'a>(pub(crate) &'a Idl);

impl Client<'_> {
    pub(crate) fn instruction(&self, name: &str) -> &IdlInstruction {
        self.0.instructions.iter().find(|found| found.name == name).expect("an instruction of this name")
    }

    /// The name of the type of an account and its fields.
    pub(crate) fn account(&self, data: &[u8]) -> (String, Value) {
        let found = self.0.accounts.iter().find(|account| data.starts_with(&account.discriminator)).expect("a type");
        let mut rest = &data[found.discriminator.len()..];
        let value = self.decode(&defined(&found.name), &mut rest);
        assert!(rest.is_empty(), "{} bytes after a {}", rest.len(), found.name);
        (found.name.clone(), value)
    }

    pub(crate) fn account_data(&self, name: &str, value: &Value) -> Vec<u8> {
        let found = self.0.accounts.iter().find(|account| account.name == name).expect("an account of this name");
        let mut data = found.discriminator.clone();
        self.encode(&defined(name), value, &mut data);
        data
    }

    /// The arguments of an instruction.
    pub(crate) fn arguments(&self, data: &[u8]) -> (&IdlInstruction, Map<String, Value>) {
        let found = self.0.instructions.iter().find(|found| data.starts_with(&found.discriminator)).expect("a tag");
        let mut rest = &data[found.discriminator.len()..];
        let args = found.args.iter().map(|arg| (arg.name.clone(), self.decode(&arg.ty, &mut rest))).collect();
        assert!(rest.is_empty(), "{} bytes after {}", rest.len(), found.name);
        (found, args)
    }

    pub(crate) fn data(&self, instruction: &IdlInstruction, args: &Map<String, Value>) -> Vec<u8> {
        let mut data = instruction.discriminator.clone();
        for arg in &instruction.args {
            self.encode(&arg.ty, &args[&arg.name], &mut data);
        }
        data
    }

    /// An instruction from its name, its arguments, the accounts that the IDL does not say the place of, and the rest.
    pub(crate) fn build(&self, name: &str, args: Value, given: &[(&str, Pubkey)], more: &[AccountMeta]) -> Instruction {
        let (instruction, program) = (self.instruction(name), self.0.address.parse().expect("an address"));
        let Value::Object(args) = args else { panic!("arguments by name") };
        let mut accounts: Vec<_> = instruction
            .accounts
            .iter()
            .map(|account| {
                let IdlInstructionAccountItem::Single(account) = account else { panic!("accounts are not nested") };
                let given = given.iter().find(|(name, _)| *name == account.name).map(|(_, key)| *key);
                let key = given.or_else(|| self.place(instruction, account, &args, &program));
                match key {
                    Some(pubkey) => AccountMeta { pubkey, is_signer: account.signer, is_writable: account.writable },
                    None if account.optional => AccountMeta::new_readonly(program, false),
                    None => panic!("{name} needs {}", account.name),
                }
            })
            .collect();
        accounts.extend_from_slice(more);
        Instruction { program_id: program, accounts, data: self.data(instruction, &args) }
    }

    /// Where the IDL says that an account is.
    pub(crate) fn place(
        &self,
        instruction: &IdlInstruction,
        account: &IdlInstructionAccount,
        args: &Map<String, Value>,
        program: &Pubkey,
    ) -> Option<Pubkey> {
        if let Some(address) = &account.address {
            return Some(address.parse().expect("an address"));
        }
        let pda = account.pda.as_ref()?;
        let bytes = |seed: &IdlSeed| match seed {
            IdlSeed::Const(constant) => constant.value.clone(),
            IdlSeed::Arg(argument) => self.seed(instruction, args, &argument.path),
            IdlSeed::Account(_) => panic!("no seed is an account"),
        };
        let seeds: Vec<_> = pda.seeds.iter().map(bytes).collect();
        let seeds: Vec<_> = seeds.iter().map(Vec::as_slice).collect();
        let program = pda
            .program
            .as_ref()
            .map_or(*program, |seed| Pubkey::try_from(bytes(seed).as_slice()).expect("the address of a program"));
        Some(Pubkey::find_program_address(&seeds, &program).0)
    }

    /// The bytes of an argument: text without its length, all else as it is encoded.
    fn seed(&self, instruction: &IdlInstruction, args: &Map<String, Value>, path: &str) -> Vec<u8> {
        let (name, field) = path.split_once('.').map_or((path, None), |(name, field)| (name, Some(field)));
        let value = field.map_or(&args[name], |field| &args[name][field]);
        if let Value::String(text) = value {
            return text.clone().into_bytes();
        }
        let arg = instruction.args.iter().find(|arg| arg.name == name).expect("an argument of this name");
        let mut bytes = vec![];
        self.encode(&arg.ty, value, &mut bytes);
        bytes
    }

    fn type_named(&self, name: &str) -> &IdlTypeDefTy {
        &self.0.types.iter().find(|found| found.name == name).unwrap_or_else(|| panic!("no type {name}")).ty
    }

    fn decode(&self, ty: &IdlType, bytes: &mut &[u8]) -> Value {
        match ty {
            IdlType::Bool => match take::<1>(bytes) {
                [0] => json!(false),
                [1] => json!(true),
                other => panic!("{other:?} is no bool"),
            },
            IdlType::U8 => json!(take::<1>(bytes)[0]),
            IdlType::U16 => json!(u16::from_le_bytes(take(bytes))),
            IdlType::U32 => json!(u32::from_le_bytes(take(bytes))),
            IdlType::I32 => json!(i32::from_le_bytes(take(bytes))),
            IdlType::U64 => json!(u64::from_le_bytes(take(bytes))),
            IdlType::Pubkey => json!(Pubkey::from(take::<32>(bytes)).to_string()),
            IdlType::String => json!(String::from_utf8(take_bytes(bytes).to_vec()).expect("text")),
            IdlType::Bytes => json!(take_bytes(bytes)),
            IdlType::Option(inner) => match take::<1>(bytes) {
                [0] => Value::Null,
                [1] => self.decode(inner, bytes),
                other => panic!("{other:?} is no option"),
            },
            IdlType::Vec(inner) => {
                let count = u32::from_le_bytes(take(bytes));
                (0..count).map(|_| self.decode(inner, bytes)).collect()
            }
            IdlType::Array(inner, IdlArrayLen::Value(len)) => (0..*len).map(|_| self.decode(inner, bytes)).collect(),
            IdlType::Defined { name, .. } => match self.type_named(name) {
                IdlTypeDefTy::Struct { fields } => self.decode_fields(fields.as_ref(), bytes),
                IdlTypeDefTy::Enum { variants } => {
                    let variant = &variants[usize::from(take::<1>(bytes)[0])];
                    json!({ &variant.name: self.decode_fields(variant.fields.as_ref(), bytes) })
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn decode_fields(&self, fields: Option<&IdlDefinedFields>, bytes: &mut &[u8]) -> Value {
        match fields {
            None => json!({}),
            Some(IdlDefinedFields::Named(fields)) => {
                Value::Object(fields.iter().map(|one| (one.name.clone(), self.decode(&one.ty, bytes))).collect())
            }
            Some(IdlDefinedFields::Tuple(types)) => types.iter().map(|ty| self.decode(ty, bytes)).collect(),
        }
    }

    fn encode(&self, ty: &IdlType, value: &Value, out: &mut Vec<u8>) {
        let unsigned = || value.as_u64().unwrap_or_else(|| panic!("{value} is no {ty:?}"));
        let list = || value.as_array().unwrap_or_else(|| panic!("{value} is no {ty:?}"));
        let text = || value.as_str().unwrap_or_else(|| panic!("{value} is no {ty:?}"));
        match ty {
            IdlType::Bool => out.push(value.as_bool().expect("a bool").into()),
            IdlType::U8 => out.push(u8::try_from(unsigned()).expect("a byte")),
            IdlType::U16 => out.extend(u16::try_from(unsigned()).expect("two bytes").to_le_bytes()),
            IdlType::U32 => out.extend(u32::try_from(unsigned()).expect("four bytes").to_le_bytes()),
            IdlType::I32 => out.extend(i32::try_from(value.as_i64().unwrap()).expect("four bytes").to_le_bytes()),
            IdlType::U64 => out.extend(unsigned().to_le_bytes()),
            IdlType::Pubkey => out.extend(text().parse::<Pubkey>().expect("a key").to_bytes()),
            IdlType::String => {
                out.extend(u32::try_from(text().len()).unwrap().to_le_bytes());
                out.extend(text().as_bytes());
            }
            IdlType::Bytes => self.encode(&IdlType::Vec(Box::new(IdlType::U8)), value, out),
            IdlType::Option(inner) => {
                out.push(u8::from(!value.is_null()));
                if !value.is_null() {
                    self.encode(inner, value, out);
                }
            }
            IdlType::Vec(inner) => {
                out.extend(u32::try_from(list().len()).unwrap().to_le_bytes());
                list().iter().for_each(|one| self.encode(inner, one, out));
            }
            IdlType::Array(inner, _) => list().iter().for_each(|one| self.encode(inner, one, out)),
            IdlType::Defined { name, .. } => match self.type_named(name) {
                IdlTypeDefTy::Struct { fields } => self.encode_fields(fields.as_ref(), value, out),
                IdlTypeDefTy::Enum { variants } => {
                    let (name, value) = value.as_object().and_then(|map| map.iter().next()).expect("a variant");
                    let index = variants.iter().position(|variant| variant.name == *name).expect("a variant's name");
                    out.push(u8::try_from(index).unwrap());
                    self.encode_fields(variants[index].fields.as_ref(), value, out);
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn encode_fields(&self, fields: Option<&IdlDefinedFields>, value: &Value, out: &mut Vec<u8>) {
        match fields {
            None => {}
            Some(IdlDefinedFields::Named(fields)) => {
                fields.iter().for_each(|one| self.encode(&one.ty, &value[&one.name], out));
            }
            Some(IdlDefinedFields::Tuple(types)) => {
                types.iter().enumerate().for_each(|(index, ty)| self.encode(ty, &value[index], out));
            }
        }
    }
}

fn defined(name: &str) -> IdlType {
    IdlType::Defined { name: name.to_owned(), generics: vec![] }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (first, rest) = bytes.split_first_chunk::<N>().expect("more bytes");
    *bytes = rest;
    *first
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let len = u32::from_le_bytes(take(bytes)) as usize;
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    taken
}
