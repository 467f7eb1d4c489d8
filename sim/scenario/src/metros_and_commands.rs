//! Names that a file may use without defining them: metros, and the commands of `doublezero`. The caller passes them in.

use crate::plan::LatLng;

/// Known metros and commands.
pub trait Lexicon {
    /// Where a metro is.
    fn metro(&self, code: &str) -> Option<LatLng>;

    /// The codes of all metros, for suggestions.
    fn metros(&self) -> Vec<&str>;

    /// What is wrong with the words behind `doublezero`, as far as that can be seen before they run. References in them
    /// have been replaced by values of their kind.
    fn refusal(&self, words: &[String]) -> Option<Refusal>;

    /// Whether the program takes this for the name of an interface.
    fn is_interface(&self, name: &str) -> bool;

    /// The words that names of interfaces begin with, for suggestions.
    fn interface_words(&self) -> Vec<&str>;
}

/// What is wrong with a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The word that is meant; empty if it is the whole line.
    pub word: String,
    /// What is wrong with it.
    pub message: String,
    /// What may be meant instead; empty if nothing is near.
    pub help: String,
}
