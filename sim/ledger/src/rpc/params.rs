//! The parameters of a call, by position.

use serde::de::DeserializeOwned;
use serde_json::Value;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use super::error::RpcError;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Params(Vec<Value>);

impl Params {
    pub(crate) fn new(params: Option<Value>) -> Result<Self, RpcError> {
        match params {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(Value::Array(values)) => Ok(Self(values)),
            Some(_) => Err(RpcError::invalid_params("Invalid params: expected an array")),
        }
    }

    /// Refuses parameters beyond these many.
    pub(crate) fn at_most(&self, count: usize) -> Result<(), RpcError> {
        match self.0.len() > count {
            true => Err(RpcError::invalid_params(format!(
                "Invalid parameters: expected at most {count}, got {}",
                self.0.len()
            ))),
            false => Ok(()),
        }
    }

    /// The parameter at an index.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, index: usize, name: &str) -> Result<T, RpcError> {
        self.optional(index, name)?
            .ok_or_else(|| RpcError::invalid_params(format!("Invalid params: `{name}` is missing at index {index}")))
    }

    /// The parameter at an index; absent and null are the same.
    pub(crate) fn optional<T: DeserializeOwned>(&mut self, index: usize, name: &str) -> Result<Option<T>, RpcError> {
        match self.0.get_mut(index).map(Value::take) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value)
                .map(Some)
                .map_err(|error| RpcError::invalid_params(format!("Invalid params: `{name}`: {error}."))),
        }
    }

    /// The address at an index.
    pub(crate) fn address(&mut self, index: usize) -> Result<Pubkey, RpcError> {
        address(&self.required::<String>(index, "pubkey")?)
    }

    /// The signature at an index.
    pub(crate) fn signature(&mut self, index: usize) -> Result<Signature, RpcError> {
        signature(&self.required::<String>(index, "signature")?)
    }
}

pub(crate) fn address(text: &str) -> Result<Pubkey, RpcError> {
    text.parse().map_err(|error| RpcError::invalid_params(format!("Invalid param: {error:?}")))
}

pub(crate) fn signature(text: &str) -> Result<Signature, RpcError> {
    text.parse().map_err(|error| RpcError::invalid_params(format!("Invalid param: {error:?}")))
}

pub(crate) fn blockhash(text: &str) -> Result<Hash, RpcError> {
    text.parse().map_err(|error| RpcError::invalid_params(format!("Invalid param: {error:?}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_go_by_position() {
        let mut params = Params::new(Some(json!(["a", null, 3]))).unwrap();
        assert_eq!(params.required::<String>(0, "first"), Ok("a".into()));
        assert_eq!(params.optional::<u64>(1, "second"), Ok(None));
        assert_eq!(params.required::<u64>(2, "third"), Ok(3));
        assert_eq!(params.optional::<u64>(3, "fourth"), Ok(None));
        assert!(params.at_most(3).is_ok());
        assert_eq!(params.at_most(2).map_err(|error| error.code), Err(-32602));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let mut params = Params::new(Some(json!([true]))).unwrap();
        let missing = params.required::<u64>(1, "slot").unwrap_err();
        assert_eq!((missing.code, missing.message.as_str()), (-32602, "Invalid params: `slot` is missing at index 1"));
        let wrong = params.required::<u64>(0, "slot").unwrap_err();
        let message = "Invalid params: `slot`: invalid type: boolean `true`, expected u64.";
        assert_eq!((wrong.code, wrong.message.as_str()), (-32602, message));
        assert!(Params::new(Some(json!({"a": 1}))).is_err());
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(address("abc").map_err(|error| error.message), Err("Invalid param: WrongSize".into()));
        assert_eq!(address("0OIl").map_err(|error| error.message), Err("Invalid param: Invalid".into()));
    }
}
