//! A cache of secrets beside a function of Huawei Cloud FunctionGraph.

mod source;

pub use source::{Fetched, InvalidSecretName, SecretName, Source, SourceError};
