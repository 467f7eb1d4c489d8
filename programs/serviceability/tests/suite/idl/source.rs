//! The types of the program as its source declares them, in the words of the IDL.
//!
//! Read from the source, because that is the only place where a field has its name, its order and its sentence at once.
//! What the tests then decode and encode by it shows that the bytes are in that order, too.

use std::collections::BTreeMap;

use anchor_lang_idl_spec::{
    IdlArrayLen, IdlDefinedFields, IdlEnumVariant, IdlField, IdlSerialization, IdlType, IdlTypeDef, IdlTypeDefTy,
};
use syn::{Attribute, Expr, Fields, GenericArgument, Item, ItemEnum, ItemStruct, Lit, Meta, PathArguments, Type};

/// An enum of the IDL counts from 0, most of the program's from 1, so that zeroed bytes mean nothing. This stands for 0.
pub(crate) const ZERO: &str = "Unused";

/// Every struct and enum of the files that an account or an instruction can be made of.
pub(crate) struct Source {
    structs: BTreeMap<String, ItemStruct>,
    enums: BTreeMap<String, ItemEnum>,
}

impl Source {
    pub(crate) fn read() -> Self {
        let src = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let state = std::fs::read_dir(format!("{src}/state")).unwrap().map(|entry| entry.unwrap().path());
        let mut source = Self { structs: BTreeMap::new(), enums: BTreeMap::new() };
        for path in state.chain([format!("{src}/instruction.rs").into()]) {
            for item in syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap().items {
                match item {
                    Item::Struct(item) => drop(source.structs.insert(item.ident.to_string(), item)),
                    Item::Enum(item) => drop(source.enums.insert(item.ident.to_string(), item)),
                    _ => {}
                }
            }
        }
        source
    }

    pub(crate) fn item_struct(&self, name: &str) -> &ItemStruct {
        self.structs.get(name).unwrap_or_else(|| panic!("no struct {name} in the source"))
    }

    pub(crate) fn item_enum(&self, name: &str) -> &ItemEnum {
        self.enums.get(name).unwrap_or_else(|| panic!("no enum {name} in the source"))
    }

    /// A struct or an enum under its name.
    pub(crate) fn type_def(&self, name: &str) -> IdlTypeDef {
        let (docs, ty) = match (name, self.structs.get(name)) {
            ("NetworkV4", _) => network(),
            (_, Some(item)) => (docs(&item.attrs), IdlTypeDefTy::Struct { fields: fields(&item.fields) }),
            (_, None) => {
                let item = self.item_enum(name);
                (docs(&item.attrs), IdlTypeDefTy::Enum { variants: variants(item) })
            }
        };
        let serialization = IdlSerialization::Borsh;
        IdlTypeDef { name: name.to_owned(), docs, serialization, repr: None, generics: vec![], ty }
    }
}

/// It keeps its fields to itself and is five bytes on chain.
fn network() -> (Vec<String>, IdlTypeDefTy) {
    let docs = vec!["An IPv4 network whose host bits are zero.".to_owned()];
    let field = |name: &str, ty| IdlField { name: name.to_owned(), docs: vec![], ty };
    let fields = vec![field("address", ipv4()), field("prefix_len", IdlType::U8)];
    (docs, IdlTypeDefTy::Struct { fields: Some(IdlDefinedFields::Named(fields)) })
}

fn ipv4() -> IdlType {
    IdlType::Array(Box::new(IdlType::U8), IdlArrayLen::Value(4))
}

fn variants(item: &ItemEnum) -> Vec<IdlEnumVariant> {
    let number = |expr: &Expr| match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(number) => number.base10_parse::<usize>().unwrap(),
            _ => panic!("{}: a discriminant that is no number", item.ident),
        },
        _ => panic!("{}: a discriminant that is no number", item.ident),
    };
    let first = item.variants[0].discriminant.as_ref().map_or(0, |(_, expr)| number(expr));
    let zero = IdlEnumVariant { name: ZERO.to_owned(), fields: None };
    let mut variants = vec![zero; first];
    for variant in &item.variants {
        // Where one has a number, all have, one after the other; so the place in the list is the number.
        let place = variant.discriminant.as_ref().map_or(variants.len(), |(_, expr)| number(expr));
        assert_eq!(place, variants.len(), "{}::{}", item.ident, variant.ident);
        variants.push(IdlEnumVariant { name: variant.ident.to_string(), fields: fields(&variant.fields) });
    }
    variants
}

fn fields(fields: &Fields) -> Option<IdlDefinedFields> {
    match fields {
        Fields::Named(named) => Some(IdlDefinedFields::Named(named.named.iter().map(field).collect())),
        Fields::Unnamed(unnamed) => {
            Some(IdlDefinedFields::Tuple(unnamed.unnamed.iter().map(|field| idl_type(&field.ty)).collect()))
        }
        Fields::Unit => None,
    }
}

pub(crate) fn field(field: &syn::Field) -> IdlField {
    let name = field.ident.as_ref().expect("a named field").to_string();
    IdlField { name, docs: docs(&field.attrs), ty: idl_type(&field.ty) }
}

pub(crate) fn idl_type(ty: &Type) -> IdlType {
    let Type::Path(path) = ty else { panic!("a type that the IDL has no word for") };
    let last = path.path.segments.last().expect("a name");
    let inner = || match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match &arguments.args[0] {
            GenericArgument::Type(ty) => Box::new(idl_type(ty)),
            _ => panic!("{}: an argument that is no type", last.ident),
        },
        _ => panic!("{}: a type without its argument", last.ident),
    };
    match last.ident.to_string().as_str() {
        "bool" => IdlType::Bool,
        "u8" => IdlType::U8,
        "u16" => IdlType::U16,
        "u32" => IdlType::U32,
        "i32" => IdlType::I32,
        "u64" => IdlType::U64,
        "String" => IdlType::String,
        "Pubkey" => IdlType::Pubkey,
        "Ipv4Addr" => ipv4(),
        "Option" => IdlType::Option(inner()),
        "Vec" => match *inner() {
            IdlType::U8 => IdlType::Bytes,
            other => IdlType::Vec(Box::new(other)),
        },
        name => IdlType::Defined { name: name.to_owned(), generics: vec![] },
    }
}

/// The sentences over an item, without the links that only rustdoc follows.
pub(crate) fn docs(attributes: &[Attribute]) -> Vec<String> {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Str(text) => Some(without_links(text.value().trim())),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect()
}

/// ``[`crate::pda::user`]`` and ``[`User`](super::User)`` as `user` and `User`.
fn without_links(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("[`") {
        let (link, after) = after.split_once("`]").expect("the end of a link");
        text = text + before + "`" + link.rsplit("::").next().unwrap_or(link) + "`";
        rest = match after.strip_prefix('(') {
            Some(target) => target.split_once(')').expect("the end of a target").1,
            None => after,
        };
    }
    text + rest
}
