//! The scenario language: from a YAML file to a plan with nothing left to question.
