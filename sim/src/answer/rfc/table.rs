//! The status of an RFC's claims, as a table for people and as data.

use serde::Serialize;

use super::document::{Claim, Id};

/// How a proof or a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Status {
    /// It was run and held.
    Holds,
    /// Nothing proves it yet: it stands under Open Questions.
    Open,
    /// It was run and did not hold.
    Fails,
}

/// A proof after its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProofStatus {
    /// What was run.
    pub proof: String,
    /// How it went.
    pub status: Status,
    /// What it said, if it failed.
    pub reason: Option<String>,
}

/// A claim after the runs of its proofs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimStatus {
    /// Its id.
    pub id: String,
    /// What it says.
    pub text: String,
    /// How it stands: as its worst proof.
    pub status: Status,
    /// Its proofs.
    pub proofs: Vec<ProofStatus>,
}

impl ClaimStatus {
    /// A claim with what came of its proofs.
    pub fn new(claim: &Claim, proofs: Vec<ProofStatus>) -> Self {
        let worst = proofs.iter().map(|proof| proof.status).max();
        Self { id: claim.id.to_string(), text: claim.text.clone(), status: worst.unwrap_or(Status::Open), proofs }
    }

    /// True for an open question, which claims nothing.
    pub fn is_question(&self) -> bool {
        Id::parse(&self.id).is_some_and(|id| id.question)
    }
}

/// A Markdown table: a row a claim, its proofs below one another, and the tally.
pub fn markdown(claims: &[ClaimStatus]) -> String {
    let mut text = "| claim | status | says | proofs |\n|---|---|---|---|\n".to_owned();
    for claim in claims {
        let proofs: Vec<_> = claim
            .proofs
            .iter()
            .map(|proof| match proof.status {
                Status::Holds => proof.proof.clone(),
                status => format!("{} **{status}**", proof.proof),
            })
            .collect();
        let cell = |text: &str| text.replace('|', "\\|");
        text.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            claim.id,
            claim.status,
            cell(&claim.text),
            cell(&proofs.join("<br>"))
        ));
    }
    text.push_str(&format!("\n{}\n", tally(claims)));
    text
}

/// How many claims hold, are open and fail.
pub fn tally(claims: &[ClaimStatus]) -> String {
    let count = |status| claims.iter().filter(|claim| claim.status == status).count();
    format!("{} hold, {} open, {} fail", count(Status::Holds), count(Status::Open), count(Status::Fails))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(id: &str, proofs: &[Status]) -> ClaimStatus {
        let claim = Claim {
            id: Id::parse(id).unwrap(),
            line: 1,
            section: String::new(),
            text: "a | b".to_owned(),
            proofs: Vec::new(),
        };
        let proofs = proofs.iter().map(|status| ProofStatus { proof: "p".to_owned(), status: *status, reason: None });
        ClaimStatus::new(&claim, proofs.collect())
    }

    #[test]
    fn a_claim_stands_as_its_worst_proof() {
        use Status::{Fails, Holds, Open};
        assert_eq!(claim("C1", &[Holds, Holds]).status, Holds);
        assert_eq!(claim("C1", &[Holds, Fails]).status, Fails);
        assert_eq!(claim("Q1", &[]).status, Open);
    }

    #[test]
    fn the_table_is_markdown() {
        let claims = [claim("C1", &[Status::Holds, Status::Fails]), claim("Q1", &[])];
        assert_eq!(
            markdown(&claims),
            "| claim | status | says | proofs |\n|---|---|---|---|\n| C1 | fails | a \\| b | p<br>p **fails** |\n\
             | Q1 | open | a \\| b |  |\n\n0 hold, 1 open, 1 fail\n"
        );
    }
}
