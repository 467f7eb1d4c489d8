//! The page of an RFC's claims and what became of their proofs.

use maud::html;

use super::shell;
use crate::answer::rfc::table::{ClaimStatus, tally};

/// The page.
pub fn page(title: &str, claims: &[ClaimStatus]) -> String {
    let body = html! {
        h1 { (title) }
        p { (tally(claims)) }
        @for claim in claims {
            details.case open[claim.proofs.iter().any(|proof| proof.reason.is_some())] {
                summary { span class=(claim.status) { (claim.status) } " " (claim.id) }
                p { (claim.text) }
                ul {
                    @for proof in &claim.proofs {
                        li {
                            code { (proof.proof) } " " span class=(proof.status) { (proof.status) }
                            @if let Some(reason) = &proof.reason { pre { (reason.trim_end()) } }
                        }
                    }
                }
            }
        }
    };
    shell::page(title, &body)
}
