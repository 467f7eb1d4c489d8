//! The attribute `#[dzsim::test]`; its documentation is in the crate `dzsim`, which exports it.

mod arguments;

use arguments::Arguments;
use proc_macro::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Error, ItemFn, parse_macro_input};

/// Makes tests of an async function that is given a running network: one in each world.
///
/// The tests are `NAME::virtual_world` and `NAME::real_world`. Arguments, all of them optional:
///
/// - `yaml = "network: ..."`: the scenario's text;
/// - `file = "scenarios/x.yaml"`: its file, below the folder of the package;
/// - `scenario = EXPRESSION`: a `dzsim::Scenario`, or a result of one;
/// - `world = "virtual"` or `world = "real"`: only one of the two tests.
///
/// Without the first three the network is that of `Scenario::default()`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as Arguments);
    let function = parse_macro_input!(item as ItemFn);
    expand(&arguments, function).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(arguments: &Arguments, mut function: ItemFn) -> syn::Result<proc_macro2::TokenStream> {
    let signature = &function.sig;
    if signature.asyncness.is_none() || signature.inputs.len() != 1 {
        let message = "expected `async fn name(net: dzsim::Network)`";
        return Err(Error::new_spanned(signature, message));
    }
    let name = signature.ident.clone();
    // What the harness reads goes to the tests, the rest stays at the function.
    let is_harness =
        |attribute: &Attribute| ["ignore", "should_panic"].iter().any(|name| attribute.path().is_ident(name));
    let (harness, own): (Vec<_>, Vec<_>) = std::mem::take(&mut function.attrs).into_iter().partition(is_harness);
    function.attrs = own;
    let scenario = arguments.scenario();
    let tests = arguments.worlds().into_iter().map(|(world, variant)| {
        let test = format_ident!("{world}_world");
        quote! {
            #[test]
            #(#harness)*
            fn #test() {
                ::dzsim::harness::test_process::run(
                    concat!(module_path!(), "::", stringify!(#test)),
                    ::dzsim::World::#variant,
                    #scenario,
                    super::#name,
                );
            }
        }
    });
    Ok(quote! {
        #[cfg(test)]
        #function

        #[cfg(test)]
        mod #name {
            #[allow(unused_imports)]
            use super::*;

            #(#tests)*
        }
    })
}
