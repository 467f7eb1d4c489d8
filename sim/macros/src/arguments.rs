//! The arguments of the attribute.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{
    Error, Expr, LitStr, Token,
    parse::{Parse, ParseStream},
};

/// What is run, and where.
#[derive(Default)]
pub(super) struct Arguments {
    scenario: Option<TokenStream>,
    world: Option<LitStr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            let scenario = match key.to_string().as_str() {
                "yaml" => {
                    let text: LitStr = input.parse()?;
                    quote!(::dzsim::Scenario::from_yaml(#text))
                }
                "file" => {
                    let file: LitStr = input.parse()?;
                    quote!(::dzsim::Scenario::from_file(concat!(env!("CARGO_MANIFEST_DIR"), "/", #file)))
                }
                "scenario" => {
                    let scenario: Expr = input.parse()?;
                    quote!(#scenario)
                }
                "world" => {
                    let world: LitStr = input.parse()?;
                    if !["virtual", "real"].contains(&world.value().as_str()) {
                        return Err(Error::new(world.span(), "expected \"virtual\" or \"real\""));
                    }
                    arguments.world = Some(world);
                    TokenStream::new()
                }
                _ => return Err(Error::new(key.span(), "expected `yaml`, `file`, `scenario` or `world`")),
            };
            if !scenario.is_empty() && arguments.scenario.replace(scenario).is_some() {
                return Err(Error::new(key.span(), "expected one of `yaml`, `file` and `scenario`"));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

impl Arguments {
    /// The expression of the scenario.
    pub(super) fn scenario(&self) -> TokenStream {
        self.scenario.clone().unwrap_or_else(|| quote!(::dzsim::Scenario::default()))
    }

    /// The worlds, each with its variant of `dzsim::World`.
    pub(super) fn worlds(&self) -> Vec<(&'static str, Ident)> {
        let all = [("virtual", format_ident!("Virtual")), ("real", format_ident!("Real"))];
        let wanted = |name: &str| self.world.as_ref().is_none_or(|world| world.value() == name);
        all.into_iter().filter(|(name, _)| wanted(name)).collect()
    }
}
