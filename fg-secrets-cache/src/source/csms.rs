//! The source `csms`: Huawei Cloud's Cloud Secret Management Service.

use fg_extension::{Error, Setting};

use super::{Fetched, SecretName, Source, SourceError};

/// Fetches secrets from CSMS.
#[derive(Debug)]
pub(crate) struct Csms {}

impl Csms {
    pub(crate) fn read(
        _lookup: &impl Fn(&str) -> Result<Option<Setting>, Error>,
    ) -> Result<Self, Error> {
        Ok(Self {})
    }
}

impl Source for Csms {
    async fn fetch(&self, _: &SecretName) -> Result<Fetched, SourceError> {
        Err(SourceError::not_found())
    }
}
